/** Which model is planned, and how it is trained. */
import { Button, NativeSelect } from '@mantine/core';
import { IconFileText } from '@tabler/icons-react';
import { useRef } from 'react';
import { OPTIMIZERS, PRESETS } from '../../config/index.ts';
import {
  globalBatchSize,
  ModelJsonError,
  modelFromJson,
  noteOnModel,
  type ParallelTraining,
  PRECISIONS,
  PUBLISHED_MODELS,
  RECOMPUTE_GRANULARITIES,
} from '../../plan/parallel/index.ts';
import { compact, count } from '../../store/index.ts';
import { countParameters, flopsPerToken } from '../../plan/index.ts';
import { useLibrary } from '../context.tsx';
import { Choice, NumberField } from './fields.tsx';
import type { Planned } from './planned.ts';
import {
  changeTraining,
  choose,
  chooseSource,
  type Source,
  type SourceKind,
  usePlanning,
} from './planning.ts';
import { PRECISION_LABELS, RECOMPUTE_LABELS } from './words.ts';

export function ModelChoice({ planned }: { planned: Planned }) {
  const { model, training } = planned.job;
  const note = usePlanning(({ source, file }) => (source.kind === 'file' && file?.note) || '');
  return (
    <section className="form-section" aria-label="Model">
      <h2>Model</h2>
      <div className="plan-source">
        <SourceSelect />
        <OpenConfig />
      </div>
      <p className="small muted">
        {compact(countParameters(model).total)} parameters, {model.n_layer}{' '}
        {model.n_layer === 1 ? 'layer' : 'layers'} of width {count(model.n_embd)},{' '}
        {count(model.vocab_size)} tokens in the vocabulary, {compact(flopsPerToken(model))} FLOPs a
        token.
      </p>
      {note ? (
        <p className="field-note" role="note">
          {note}
        </p>
      ) : null}
      <TrainingFields training={training} seq_length={model.block_size} />
    </section>
  );
}

const SOURCE_KINDS: readonly SourceKind[] = ['recipe', 'preset', 'run', 'published', 'file'];

/** A source as the value of an option: "published:gpt2". */
const valueOf = ({ kind, id }: Source): string => `${kind}:${id}`;

function sourceOf(value: string): Source | null {
  const [name, ...rest] = value.split(':');
  const kind = SOURCE_KINDS.find((known) => known === name);
  return kind ? { kind, id: rest.join(':') } : null;
}

function SourceSelect() {
  const source = usePlanning((state) => state.source);
  const file = usePlanning((state) => state.file);
  const runs = useLibrary((state) => state.runs);
  const group = (
    name: string,
    kind: SourceKind,
    items: readonly (readonly [string, string])[],
  ) => ({
    group: name,
    items: items.map(([id, label]) => ({ value: valueOf({ kind, id }), label })),
  });
  return (
    <NativeSelect
      size="xs"
      aria-label="Planned model"
      value={valueOf(source)}
      data={[
        { value: valueOf({ kind: 'recipe', id: '' }), label: 'The recipe' },
        ...(file ? [{ value: valueOf({ kind: 'file', id: '' }), label: file.name }] : []),
        group(
          'Published models',
          'published',
          PUBLISHED_MODELS.map(({ id, title }) => [id, title]),
        ),
        group(
          'Presets',
          'preset',
          PRESETS.map(({ id, title }) => [id, title]),
        ),
        group(
          'Saved runs',
          'run',
          runs.map(({ run, name }) => [run, name]),
        ),
      ].filter((entry) => !('items' in entry) || entry.items.length > 0)}
      onChange={({ currentTarget: { value } }) => {
        const chosen = sourceOf(value);
        if (chosen) chooseSource(chosen);
      }}
    />
  );
}

/** Opens a config.json of transformers. */
function OpenConfig() {
  const picker = useRef<HTMLInputElement>(null);
  const failure = usePlanning((state) => state.failure);
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconFileText size={15} />}
        onClick={() => picker.current?.click()}
      >
        Open config.json
      </Button>
      <input
        ref={picker}
        type="file"
        accept=".json,application/json"
        hidden
        aria-label="config.json of a model"
        data-testid="plan-file"
        onChange={(event) => {
          const [chosen] = event.currentTarget.files ?? [];
          event.currentTarget.value = '';
          if (chosen) void openConfig(chosen);
        }}
      />
      {failure ? (
        <p className="field-problem" role="alert">
          {failure}
        </p>
      ) : null}
    </>
  );
}

async function openConfig(file: File): Promise<void> {
  try {
    const text = await file.text();
    const model = modelFromJson(text);
    chooseSource({ kind: 'file', id: '' });
    choose({ file: { name: file.name, model, note: noteOnModel(text) } });
  } catch (error) {
    if (!(error instanceof ModelJsonError)) throw error;
    choose({ failure: error.message });
  }
}

/** Longest context and largest batch that are planned. */
const LIMITS = { seq_length: 1_048_576, global_batch_size: 65_536 };

function TrainingFields({
  training,
  seq_length,
}: {
  training: ParallelTraining;
  seq_length: number;
}) {
  return (
    <div className="plan-fields">
      <Choice
        label="Precision"
        options={PRECISIONS.map((name) => [name, PRECISION_LABELS[name]] as const)}
        value={training.precision}
        onChange={(precision) => changeTraining({ precision })}
      />
      <Choice
        label="Optimizer"
        options={OPTIMIZERS.map((name) => [name, OPTIMIZER_LABELS[name]] as const)}
        value={training.optimizer}
        onChange={(optimizer) => changeTraining({ optimizer })}
      />
      <Choice
        label="Recompute"
        options={RECOMPUTE_GRANULARITIES.map((name) => [name, RECOMPUTE_LABELS[name]] as const)}
        value={training.recompute_granularity}
        onChange={(recompute_granularity) => changeTraining({ recompute_granularity })}
      />
      <NumberField
        label="Global batch, sequences"
        value={globalBatchSize(training)}
        range={[1, LIMITS.global_batch_size]}
        onChange={(global_batch_size) => changeTraining({ global_batch_size })}
      />
      <NumberField
        label="Sequence length, tokens"
        value={seq_length}
        range={[1, LIMITS.seq_length]}
        onChange={(length) => changeTraining({ seq_length: length })}
      />
    </div>
  );
}

const OPTIMIZER_LABELS = { adamw: 'AdamW', adam: 'Adam', sgd: 'SGD', muon: 'Muon' } as const;
