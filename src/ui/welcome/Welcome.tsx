/** The start screen: the preset cards, and an offer to resume the last run if there is one. */
import { Button } from '@mantine/core';
import { IconAdjustments, IconPlayerPlayFilled } from '@tabler/icons-react';
import { PRESETS, type Preset } from '../../config/index.ts';
import { isActive, takeConfig } from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { estimate } from './estimate.ts';
import { PRESET_ICONS } from './icons.ts';
import { ResumeOffer } from './ResumeOffer.tsx';
import '../styles/welcome.css';

export function Welcome() {
  const hasActiveRun = useRun((state) => isActive(state.phase) && state.run !== null);
  return (
    <main className="welcome">
      <div className="welcome-head">
        <h1>Watch a machine learn to write</h1>
        <p>
          Pick a model and press Train. It trains in this tab, on your device; nothing is uploaded.
        </p>
      </div>
      {hasActiveRun ? (
        <Button variant="light" onClick={() => goTo({ at: 'workspace' })}>
          Back to the current run
        </Button>
      ) : (
        <ResumeOffer />
      )}
      <ul className="cards">
        {PRESETS.map((preset) => (
          <PresetCard key={preset.id} preset={preset} disabled={hasActiveRun} />
        ))}
      </ul>
      <div className="welcome-foot">
        <Button
          variant="subtle"
          color="gray"
          leftSection={<IconAdjustments size={17} />}
          onClick={() => goTo({ at: 'workspace', tab: 'recipe' })}
        >
          Use your own text and model
        </Button>
      </div>
    </main>
  );
}

interface PresetProps {
  preset: Preset;
  disabled: boolean;
}

function PresetCard({ preset, disabled }: PresetProps) {
  const Icon = PRESET_ICONS[preset.id] ?? PRESET_ICONS.names;
  return (
    <li className="card" data-testid={`preset-${preset.id}`}>
      <div className="card-head">
        <span className="card-icon" aria-hidden>
          {Icon ? <Icon size={20} stroke={1.7} /> : null}
        </span>
        <h2>{preset.title}</h2>
      </div>
      <p className="card-learns">{preset.learns}</p>
      <PresetFacts preset={preset} />
      <PresetActions preset={preset} disabled={disabled} />
    </li>
  );
}

function PresetFacts({ preset }: { preset: Preset }) {
  const calibration = useRun((state) => state.calibration);
  const { parameters, steps, time } = estimate(preset.config, calibration);
  return (
    <dl className="card-facts">
      <div>
        <dt>Size</dt>
        <dd>{parameters}</dd>
      </div>
      <div>
        <dt>Length</dt>
        <dd>{steps}</dd>
      </div>
      <div>
        <dt>Time here</dt>
        <dd data-testid="preset-time">{time ? `${time}, estimated` : 'measuring…'}</dd>
      </div>
    </dl>
  );
}

function PresetActions({ preset, disabled }: PresetProps) {
  const client = useClient();
  const loadPreset = (): void =>
    takeConfig(client.stores.form, preset.config, { preset: preset.id, name: '' });
  return (
    <div className="card-actions">
      <Button
        leftSection={<IconPlayerPlayFilled size={15} />}
        disabled={disabled}
        aria-label={`Train ${preset.title}`}
        onClick={() => {
          loadPreset();
          goTo({ at: 'workspace', tab: 'charts' });
          client.start();
        }}
      >
        Train
      </Button>
      <Button
        variant="subtle"
        color="gray"
        disabled={disabled}
        aria-label={`Customize ${preset.title}`}
        onClick={() => {
          loadPreset();
          goTo({ at: 'workspace', tab: 'recipe' });
        }}
      >
        Customize
      </Button>
    </div>
  );
}
