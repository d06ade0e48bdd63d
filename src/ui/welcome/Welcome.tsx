/** The start screen: the preset cards, and an offer to resume the last run if there is one. */
import { Button } from '@mantine/core';
import { IconPencil, IconPlayerPlayFilled } from '@tabler/icons-react';
import type { ReactNode } from 'react';
import { PRESETS, type Preset } from '../../config/index.ts';
import { guessVocab, planRun } from '../../plan/index.ts';
import {
  compact,
  count,
  hasLiveRun,
  setField,
  takePreset,
  timeHere,
  type Client,
} from '../../store/index.ts';
import { useClient, useRun } from '../context.tsx';
import { goTo } from '../place.ts';
import { useSecondsHere, useSmallerRun } from '../useTimeHere.ts';
import { PRESET_ICONS } from './icons.ts';
import { ResumeOffer } from './ResumeOffer.tsx';
import '../styles/welcome.css';

export function Welcome() {
  const hasActiveRun = useRun(hasLiveRun);
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
        <OwnTextCard disabled={hasActiveRun} />
      </ul>
      <p className="welcome-foot small muted">
        Times are estimates from a short test of this device.
      </p>
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
    <Card
      id={preset.id}
      title={preset.title}
      icon={Icon ? <Icon size={20} stroke={1.7} /> : null}
      learns={preset.learns}
    >
      <PresetFacts preset={preset} />
      <PresetActions preset={preset} disabled={disabled} />
    </Card>
  );
}

interface CardProps {
  id: string;
  title: string;
  icon: ReactNode;
  learns: string;
  children: ReactNode;
}

function Card({ id, title, icon, learns, children }: CardProps) {
  return (
    <li className="card" data-testid={`preset-${id}`}>
      <div className="card-head">
        <span className="card-icon" aria-hidden>
          {icon}
        </span>
        <h2>{title}</h2>
      </div>
      <p className="card-learns">{learns}</p>
      {children}
    </li>
  );
}

function PresetFacts({ preset }: { preset: Preset }) {
  const { config } = preset;
  const plan = planRun(config, { vocab_size: guessVocab(config) });
  const seconds = useSecondsHere(config, plan);
  const smaller = useSmallerRun(config, seconds);
  const [fastest] = PRESETS;
  const faster = fastest && fastest !== preset ? fastest.title : null;
  return (
    <dl className="card-facts">
      <div>
        <dt>Size</dt>
        <dd>{compact(plan.n_params)} parameters</dd>
      </div>
      <div>
        <dt>Length</dt>
        <dd>{count(config.training.max_iters)} steps</dd>
      </div>
      <div>
        <dt>Time here</dt>
        <dd data-testid="preset-time">
          {smaller
            ? `${timeHere(seconds, null)}; a smaller size: ${timeHere(smaller.seconds, null)}`
            : timeHere(seconds, faster)}
        </dd>
      </div>
    </dl>
  );
}

function PresetActions({ preset, disabled }: PresetProps) {
  const client = useClient();
  return (
    <div className="card-actions">
      <Button
        leftSection={<IconPlayerPlayFilled size={15} />}
        disabled={disabled}
        aria-label={`Train ${preset.title}`}
        onClick={() => {
          takePreset(client.stores.form, preset);
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
          takePreset(client.stores.form, preset);
          goTo({ at: 'workspace', tab: 'recipe' });
        }}
      >
        Customize
      </Button>
    </div>
  );
}

function OwnTextCard({ disabled }: { disabled: boolean }) {
  const client = useClient();
  return (
    <Card
      id="own"
      title="Your own text"
      icon={<IconPencil size={20} stroke={1.7} />}
      learns="Learns to write like any text you bring: paste it, or open a file. It stays on your device."
    >
      <dl className="card-facts">
        <div>
          <dt>Needs</dt>
          <dd>a few pages or more</dd>
        </div>
        <div>
          <dt>Files</dt>
          <dd>txt, csv, json and more</dd>
        </div>
        <div>
          <dt>Size and time</dt>
          <dd>up to you</dd>
        </div>
      </dl>
      <div className="card-actions">
        <Button disabled={disabled} onClick={() => bringText(client)}>
          Choose a text
        </Button>
      </div>
    </Card>
  );
}

/** Opens the recipe where a text is pasted or opened. */
function bringText(client: Client): void {
  setField(client.stores.form, 'data.corpus', 'own');
  goTo({ at: 'workspace', tab: 'recipe', sections: ['data'] });
}
