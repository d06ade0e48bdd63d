/**
 * The first visit: preset cards with Train on them, and the run of last time where there is one.
 */
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
  const active = useRun((state) => isActive(state.phase) && state.run !== null);
  return (
    <main className="welcome">
      <div className="welcome-head">
        <h1>Watch a machine learn to write</h1>
        <p>
          Pick one and press Train. It learns on your own device, in this page; nothing is sent
          anywhere.
        </p>
      </div>
      {active ? (
        <Button variant="light" onClick={() => goTo({ at: 'room' })}>
          Back to the run under way
        </Button>
      ) : (
        <ResumeOffer />
      )}
      <ul className="cards">
        {PRESETS.map((preset) => (
          <PresetCard key={preset.id} preset={preset} blocked={active} />
        ))}
      </ul>
      <div className="welcome-foot">
        <Button
          variant="subtle"
          color="gray"
          leftSection={<IconAdjustments size={17} />}
          onClick={() => goTo({ at: 'room', tab: 'recipe' })}
        >
          Your own text and model
        </Button>
      </div>
    </main>
  );
}

function PresetCard({ preset, blocked }: { preset: Preset; blocked: boolean }) {
  const client = useClient();
  const calibration = useRun((state) => state.calibration);
  const size = estimate(preset.config, calibration);
  const Icon = PRESET_ICONS[preset.id] ?? PRESET_ICONS.names;
  const take = (): void =>
    takeConfig(client.stores.form, preset.config, { preset: preset.id, name: preset.title });
  return (
    <li className="card" data-testid={`preset-${preset.id}`}>
      <div className="card-head">
        <span className="card-icon" aria-hidden>
          {Icon ? <Icon size={20} stroke={1.7} /> : null}
        </span>
        <h2>{preset.title}</h2>
      </div>
      <p className="card-learns">{preset.learns}</p>
      <dl className="card-facts">
        <div>
          <dt>Size</dt>
          <dd>{size.parameters}</dd>
        </div>
        <div>
          <dt>Length</dt>
          <dd>{size.steps}</dd>
        </div>
        <div>
          <dt>Time here</dt>
          <dd data-testid="preset-time">
            {size.time ? `${size.time}, estimated` : 'being measured…'}
          </dd>
        </div>
      </dl>
      <div className="card-acts">
        <Button
          leftSection={<IconPlayerPlayFilled size={15} />}
          disabled={blocked}
          aria-label={`Train ${preset.title}`}
          onClick={() => {
            take();
            goTo({ at: 'room', tab: 'charts' });
            client.start();
          }}
        >
          Train
        </Button>
        <Button
          variant="subtle"
          color="gray"
          disabled={blocked}
          aria-label={`Change the recipe of ${preset.title}`}
          onClick={() => {
            take();
            goTo({ at: 'room', tab: 'recipe' });
          }}
        >
          Change first
        </Button>
      </div>
    </li>
  );
}
