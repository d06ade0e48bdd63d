/** Chains of stages: ready-made ones, one from a file or the address, and how far one is. */
import '@mantine/core/styles/Badge.layer.css';
import '@mantine/core/styles/Group.layer.css';
import '@mantine/core/styles/Progress.layer.css';
import { Badge, Button, FileButton, Group, Progress } from '@mantine/core';
import { IconDownload, IconPlayerPlay, IconPlayerStop, IconUpload } from '@tabler/icons-react';
import { useState } from 'react';
import { useStore } from 'zustand';
import { CHAINS, objectiveLabel, parseRecipe } from '../../config/stage/index.ts';
import { recipeInAddress } from '../../store/recipe_files.ts';
import type { RecipeMember } from '../../store/recipe_state.ts';
import { RecipeRunner } from '../../store/recipe_runner.ts';
import type { Client } from '../../store/index.ts';
import { useClient, useLibrary } from '../context.tsx';
import { goTo } from '../place.ts';
import { useKeptFocus } from '../useKeptFocus.ts';
import { InterruptedChain } from './InterruptedChain.tsx';
import { fileName, saveFile } from '../transfer.ts';

export function Chains() {
  const client = useClient();
  const { running, members } = useStore(client.stores.recipe);
  // Names are made unlike those of the saved models.
  const disabled = useLibrary((state) => !state.loaded) || running;
  const [problem, setProblem] = useState('');
  useKeptFocus(running, '#chains-title');
  const start = (source: unknown): void => {
    try {
      runnerOf(client).start(parseRecipe(source), source);
      setProblem('');
    } catch (error) {
      setProblem(sentenceOf(error));
    }
  };
  const open = async (file: File | null): Promise<void> => {
    if (!file) return;
    try {
      start(JSON.parse(await file.text()));
    } catch {
      setProblem(`${file.name} is not JSON; choose a chain that the page saved.`);
    }
  };
  return (
    <section aria-labelledby="chains-title" className="chains">
      <h2 id="chains-title">Whole chains</h2>
      <p className="muted">Each trains several stages, one after the other, from one click.</p>
      {members.length > 0 ? <RunningChain onCancel={() => runnerOf(client).cancel()} /> : null}
      {running ? null : <InterruptedChain onContinue={(kept) => runnerOf(client).continue(kept)} />}
      {problem ? (
        <p role="alert" className="field-problem">
          {problem}
        </p>
      ) : null}
      <ul className="chain-cards">
        <LinkedChain disabled={disabled} onStart={start} />
        {CHAINS.map(({ id, does, source }) => (
          <ChainCard key={id} {...{ does, source }} disabled={disabled} onStart={start} />
        ))}
      </ul>
      <FileButton accept="application/json,.json" onChange={(file) => void open(file)}>
        {(props) => (
          <Button
            {...props}
            variant="subtle"
            size="xs"
            disabled={disabled}
            leftSection={<IconUpload size={16} />}
          >
            Open a chain from a file
          </Button>
        )}
      </FileButton>
    </section>
  );
}

interface CardProps {
  does: string;
  source: unknown;
  disabled: boolean;
  onStart: (source: unknown) => void;
}

function ChainCard({ does, source, disabled, onStart }: CardProps) {
  const { name, stages } = parseRecipe(source);
  const download = (): void =>
    saveFile(`${fileName(name)}.json`, JSON.stringify(source, null, 2), 'application/json');
  return (
    <li className="chain-card">
      <h3>{name}</h3>
      <p>{does}</p>
      <p className="muted">
        {stages
          .map(({ stage }) => objectiveLabel(stage?.objective ?? 'pretrain').badge)
          .join(' → ')}
      </p>
      <Group gap="xs">
        <Button
          size="xs"
          disabled={disabled}
          leftSection={<IconPlayerPlay size={16} />}
          onClick={() => onStart(source)}
        >
          Train all {stages.length} stages
        </Button>
        <Button
          size="xs"
          variant="subtle"
          leftSection={<IconDownload size={16} />}
          onClick={download}
        >
          Save as a file
        </Button>
      </Group>
    </li>
  );
}

/** The recipe that the address of the page brings, if any. */
function LinkedChain({ disabled, onStart }: Pick<CardProps, 'disabled' | 'onStart'>) {
  const { source, problem } = linkedRecipe();
  if (problem) {
    return (
      <li role="alert" className="field-problem">
        {problem}
      </li>
    );
  }
  if (source === null) return null;
  const does = 'The chain of the link that you opened.';
  return <ChainCard {...{ does, source, disabled, onStart }} />;
}

/** A recipe that `parseRecipe` accepts, or why there is none. */
function linkedRecipe(): { source: unknown; problem: string } {
  try {
    const source = recipeInAddress(location.search);
    if (source !== null) parseRecipe(source);
    return { source, problem: '' };
  } catch (error) {
    return { source: null, problem: sentenceOf(error) };
  }
}

function RunningChain({ onCancel }: { onCancel: () => void }) {
  const client = useClient();
  const { name, members, running, ended } = useStore(client.stores.recipe);
  const step = useStore(client.stores.run, (run) => run.step);
  const total = useStore(client.stores.run, (run) => run.config?.training.max_iters ?? 0);
  return (
    <div className="chain-progress" aria-live="polite">
      <Group justify="space-between">
        <h3>{name}</h3>
        {running ? (
          <Group gap="xs">
            <Button size="xs" variant="light" onClick={() => goTo({ at: 'workspace' })}>
              Watch
            </Button>
            <Button
              size="xs"
              variant="subtle"
              leftSection={<IconPlayerStop size={16} />}
              onClick={onCancel}
            >
              Stop the chain
            </Button>
          </Group>
        ) : null}
      </Group>
      <ol>
        {members.map((member) => (
          <li key={member.id}>
            <Group gap="xs">
              <span>{member.name}</span>
              <Badge size="sm" variant="default" data-status={member.status}>
                {WORDS[member.status]}
              </Badge>
              {member.seconds === null ? null : (
                <span className="muted">{Math.round(member.seconds)} s</span>
              )}
            </Group>
            {member.status === 'training' && total > 0 ? (
              <Progress value={(100 * step) / total} aria-label={`Steps of ${member.name}`} />
            ) : null}
            {member.problem ? <p className="field-problem">{member.problem}</p> : null}
          </li>
        ))}
      </ol>
      {ended ? <p>{ended}</p> : null}
    </div>
  );
}

const WORDS: Record<RecipeMember['status'], string> = {
  waiting: 'waits',
  training: 'trains',
  done: 'done',
  failed: 'failed',
  stopped: 'stopped',
};

const sentenceOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  const hint = 'hint' in error && typeof error.hint === 'string' ? ` ${error.hint}` : '';
  return error.message + hint;
};

/** One runner per page: a chain goes on while its cards are not shown. */
const runners = new WeakMap<Client, RecipeRunner>();

function runnerOf(client: Client): RecipeRunner {
  const known = runners.get(client) ?? new RecipeRunner(client);
  runners.set(client, known);
  return known;
}
