/**
 * Writing on demand, token by token, and the knobs of sampling, which also steer the samples of a
 * running model.
 */
import { ActionIcon, Button, Textarea } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconPlayerStopFilled, IconSparkles } from '@tabler/icons-react';
import { useState } from 'react';
import { fieldPaths, withField, getField, type FieldPath } from '../../config/index.ts';
import type { RunConfig } from '../../config/index.ts';
import { setField } from '../../store/index.ts';
import { useClient, useForm, useRun } from '../context.tsx';
import { FieldControl } from '../recipe/FieldControl.tsx';
import { TokenText } from './TokenText.tsx';

const KNOBS: readonly FieldPath[] = fieldPaths().filter(
  (path) =>
    path.startsWith('sampling.') &&
    path !== 'sampling.prompts' &&
    path !== 'sampling.sample_interval',
);
const REASONS = {
  stop: 'Ended by itself.',
  length: 'Stopped at max_new_tokens.',
  cancelled: 'Stopped.',
} as const;

export function Generate() {
  const client = useClient();
  const ready = useRun(
    (state) =>
      state.run !== null && !['preparing', 'compiling', 'failed', 'idle'].includes(state.phase),
  );
  const generation = useRun((state) => state.generation);
  const config = useRun((state) => state.config);
  const planned = useForm((state) => state.config);
  const [prompt, setPrompt] = useState('');
  const [open, setOpen] = useState(false);
  const current = config ?? planned;

  const change = (path: FieldPath, value: Parameters<typeof withField>[2]): boolean => {
    const next: RunConfig = withField(current, path, value);
    setField(client.stores.form, path, value);
    if (config) client.setSampling(next.sampling);
    return true;
  };
  const write = (): void => {
    if (ready) client.generate(prompt, current.sampling);
  };
  return (
    <section className="generate" aria-label="Write on demand">
      <div className="generate-row">
        <Textarea
          autosize
          minRows={1}
          maxRows={5}
          placeholder="Begin with…"
          aria-label="Prompt"
          value={prompt}
          onChange={(event) => setPrompt(event.currentTarget.value)}
          className="grow"
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.metaKey || event.ctrlKey)) {
              event.preventDefault();
              write();
            }
          }}
        />
        <ActionIcon
          title="Temperature and truncation"
          variant="default"
          size={36}
          aria-label="Sampling controls"
          aria-expanded={open}
          onClick={() => setOpen((on) => !on)}
        >
          <IconAdjustmentsHorizontal size={17} />
        </ActionIcon>
        {generation?.running ? (
          <Button
            variant="light"
            px="sm"
            leftSection={<IconPlayerStopFilled size={14} />}
            onClick={() => client.stopGeneration()}
          >
            Stop
          </Button>
        ) : (
          <Button
            variant="light"
            px="sm"
            leftSection={<IconSparkles size={16} />}
            disabled={!ready}
            onClick={write}
          >
            Write
          </Button>
        )}
      </div>
      {open ? (
        <div className="knobs">
          {KNOBS.map((path) => (
            <FieldControl
              key={path}
              path={path}
              value={getField(current, path)}
              onChange={(value) => change(path, value)}
              brief
            />
          ))}
        </div>
      ) : null}
      {generation ? (
        <div className="sample generated" data-testid="generated">
          <TokenText
            pieces={generation.pieces}
            prompt={generation.prompt}
            label="Generated text. Arrow keys walk through its tokens."
          />
          <p className="small muted">
            {generation.running ? 'Writing…' : generation.reason ? REASONS[generation.reason] : ''}
          </p>
        </div>
      ) : null}
    </section>
  );
}
