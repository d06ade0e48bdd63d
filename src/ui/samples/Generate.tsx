/** Generates text from a prompt. Its sampling controls also apply to the samples of the run. */
import { ActionIcon, Button, Textarea } from '@mantine/core';
import { IconAdjustmentsHorizontal, IconPlayerStopFilled, IconSparkles } from '@tabler/icons-react';
import { useState, type KeyboardEvent } from 'react';
import {
  fieldPaths,
  getField,
  withField,
  type FieldPath,
  type FieldValue,
} from '../../config/index.ts';
import { setField, type Generation } from '../../store/index.ts';
import { useClient, useForm, useRun, useWrite } from '../context.tsx';
import { FieldControl } from '../recipe/FieldControl.tsx';
import { TokenText } from './TokenText.tsx';
import { useWeightsChoice, WeightsSelect } from './WeightsSelect.tsx';

/** Phases in which there is no model to generate with. */
const WITHOUT_MODEL: readonly string[] = ['idle', 'preparing', 'compiling', 'failed'];

/** The configuration of the current run, or of the form if there is none. */
const useCurrentConfig = () => {
  const running = useRun((state) => state.config);
  const planned = useForm((state) => state.config);
  return running ?? planned;
};

export function Generate() {
  const [controlsOpen, setControlsOpen] = useState(false);
  const generation = useRun((state) => state.generation);
  return (
    <section className="generate" aria-label="Generate text">
      <PromptForm
        controlsOpen={controlsOpen}
        onToggleControls={() => setControlsOpen((open) => !open)}
      />
      {controlsOpen ? <SamplingControls /> : null}
      {generation ? <GeneratedText generation={generation} /> : null}
    </section>
  );
}

interface PromptFormProps {
  controlsOpen: boolean;
  onToggleControls: () => void;
}

function PromptForm({ controlsOpen, onToggleControls }: PromptFormProps) {
  const client = useClient();
  const { sampling } = useCurrentConfig();
  const hasModel = useRun(({ run, phase }) => run !== null && !WITHOUT_MODEL.includes(phase));
  const prompt = useWrite((state) => state.prompt);
  const weights = useWeightsChoice();
  const generate = (): void => {
    if (hasModel) client.generate(prompt, sampling, weights);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.metaKey || event.ctrlKey)) return;
    event.preventDefault();
    generate();
  };
  return (
    <div className="generate-row">
      <Textarea
        autosize
        minRows={1}
        maxRows={5}
        placeholder="Start with…"
        aria-label="Prompt"
        value={prompt}
        onChange={(event) => client.stores.write.setState({ prompt: event.currentTarget.value })}
        className="grow"
        onKeyDown={onKeyDown}
      />
      <WeightsSelect />
      <ActionIcon
        title="Sampling controls"
        variant="default"
        size={36}
        aria-label="Sampling controls"
        aria-expanded={controlsOpen}
        onClick={onToggleControls}
      >
        <IconAdjustmentsHorizontal size={17} />
      </ActionIcon>
      <GenerateButton disabled={!hasModel} onGenerate={generate} />
    </div>
  );
}

interface GenerateButtonProps {
  disabled: boolean;
  onGenerate: () => void;
}

function GenerateButton({ disabled, onGenerate }: GenerateButtonProps) {
  const client = useClient();
  const generating = useRun((state) => state.generation?.running ?? false);
  if (generating)
    return (
      <Button
        variant="light"
        px="sm"
        leftSection={<IconPlayerStopFilled size={14} />}
        onClick={() => client.stopGeneration()}
      >
        Stop
      </Button>
    );
  return (
    <Button
      variant="light"
      px="sm"
      leftSection={<IconSparkles size={16} />}
      disabled={disabled}
      onClick={onGenerate}
    >
      Generate
    </Button>
  );
}

const CONTROLS: readonly FieldPath[] = fieldPaths().filter(
  (path) =>
    path.startsWith('sampling.') &&
    path !== 'sampling.prompts' &&
    path !== 'sampling.sample_interval',
);

function SamplingControls() {
  const client = useClient();
  const hasRun = useRun((state) => state.config !== null);
  const config = useCurrentConfig();
  const change = (path: FieldPath, value: FieldValue): boolean => {
    setField(client.stores.form, path, value);
    if (hasRun) client.setSampling(withField(config, path, value).sampling);
    return true;
  };
  return (
    <div className="sampling-controls">
      {CONTROLS.map((path) => (
        <FieldControl
          key={path}
          path={path}
          value={getField(config, path)}
          onChange={(value) => change(path, value)}
          brief
        />
      ))}
    </div>
  );
}

const REASONS = {
  stop: 'Reached the end of the text.',
  length: 'Reached the length limit.',
  cancelled: 'Stopped.',
} as const;

function GeneratedText({ generation }: { generation: Generation }) {
  return (
    <div className="sample generated" data-testid="generated">
      <TokenText
        pieces={generation.pieces}
        prompt={generation.prompt}
        label="Generated text. Arrow keys move through its tokens."
      />
      {generation.error ? (
        <p className="small sample-problem" role="alert" data-testid="generation-error">
          {generation.error.message} {generation.error.hint}
        </p>
      ) : (
        <p className="small muted">{statusOf(generation)}</p>
      )}
    </div>
  );
}

function statusOf({ running, reason }: Generation): string {
  if (running) return 'Generating…';
  return reason ? REASONS[reason] : '';
}
