/** Which models are evaluated, on what, and how. */
import { Button, Checkbox, NativeSelect, NumberInput } from '@mantine/core';
import { useState } from 'react';
import {
  defaultStage,
  stageLabel,
  type StageConfig,
  TASKS,
  type TaskName,
} from '../../config/stage/index.ts';
import type { RunRecord } from '../../store/index.ts';
import type { Evaluations, Measurement } from '../../store/stages/evaluations.ts';
import { type ListedModel, parentRun } from '../../store/stages/tree.ts';
import { MissingModels } from '../chat/MissingModels.tsx';
import { usePlace } from '../place.ts';
import { MEASUREMENT_LABELS } from './measurements.ts';

interface FormProps {
  models: readonly ListedModel[];
  evaluating: Evaluations;
}

const TASK_NAMES = stageLabel('dataset.task').names;
const SHOWN_TASKS: readonly TaskName[] = TASKS.filter((task) => task !== 'own');

/** The form keeps what was chosen while the page is open. */
interface Choices {
  runs: readonly string[];
  task: TaskName;
  items: number;
  measure: readonly Measurement[];
  k: number;
  samples: number;
  temperature: number;
  max_new_tokens: number;
  reward_model: string;
}

export function EvaluateForm({ models, evaluating }: FormProps) {
  const subject = usePlace((place) => place.subject);
  const answering = models.filter(({ record }) => !isReward(record));
  const [choices, setChoices] = useState<Choices>(() => firstChoices(answering, subject));
  const change = (some: Partial<Choices>): void => setChoices({ ...choices, ...some });
  const chosen = answering.filter(({ record }) => choices.runs.includes(record.run));
  const start = (): void => {
    const runs = chosen.map(({ record }) => ({
      run: record.run,
      name: record.name,
      parent: parentRun(record),
    }));
    void evaluating.start({ ...planOf(choices, chosen), runs });
  };
  return (
    <form
      className="evaluate-form"
      onSubmit={(event) => {
        event.preventDefault();
        start();
      }}
    >
      {isHere(answering, subject) ? null : <MissingModels ids={[subject ?? '']} />}
      <Checkbox.Group
        label="Models"
        value={[...choices.runs]}
        onChange={(runs) => change({ runs })}
      >
        <div className="evaluate-choices" data-tree>
          {answering.map(({ record, depth }) => (
            <Checkbox
              key={record.run}
              size="xs"
              value={record.run}
              label={record.name}
              style={{ marginLeft: `${depth}em` }}
            />
          ))}
        </div>
      </Checkbox.Group>
      <Checkbox.Group
        label="Measure"
        value={[...choices.measure]}
        onChange={(values) =>
          change({
            measure: MEASUREMENT_LABELS.flatMap(({ what }) =>
              values.includes(what) ? [what] : [],
            ),
          })
        }
      >
        <div className="evaluate-choices">
          {MEASUREMENT_LABELS.map(({ what, label, help }) => (
            <Checkbox key={what} size="xs" value={what} label={label} description={help} />
          ))}
        </div>
      </Checkbox.Group>
      <Numbers choices={choices} change={change} models={models} />
      <Button
        type="submit"
        disabled={chosen.length === 0 || choices.measure.length === 0}
        className="evaluate-start"
      >
        {`Evaluate ${chosen.length} ${chosen.length === 1 ? 'model' : 'models'}`}
      </Button>
    </form>
  );
}

function Numbers({
  choices,
  change,
  models,
}: {
  choices: Choices;
  change: (some: Partial<Choices>) => void;
  models: readonly ListedModel[];
}) {
  const rewards = models.filter(({ record }) => isReward(record));
  return (
    <div className="evaluate-numbers">
      <NativeSelect
        size="xs"
        label="Task"
        data={SHOWN_TASKS.map((value) => ({ value, label: TASK_NAMES?.[value] ?? value }))}
        value={choices.task}
        onChange={({ currentTarget: { value } }) => {
          const task = SHOWN_TASKS.find((name) => name === value);
          if (task) change({ task });
        }}
      />
      <Field
        label="Questions"
        value={choices.items}
        range={[1, 10_000]}
        onChange={(items) => change({ items })}
      />
      <Field
        label="k of pass@k"
        value={choices.k}
        range={[1, 64]}
        onChange={(k) => change({ k, samples: Math.max(k, choices.samples) })}
      />
      <Field
        label="Answers to each prompt"
        value={choices.samples}
        range={[choices.k, 256]}
        onChange={(samples) => change({ samples })}
      />
      <Field
        label="Temperature"
        value={choices.temperature}
        range={[0.1, 5]}
        decimals={2}
        onChange={(temperature) => change({ temperature })}
      />
      <Field
        label="Longest answer, tokens"
        value={choices.max_new_tokens}
        range={[1, 1024]}
        onChange={(max_new_tokens) => change({ max_new_tokens })}
      />
      {rewards.length > 0 ? (
        <NativeSelect
          size="xs"
          label="Reward model"
          data={[
            { value: '', label: 'None' },
            ...rewards.map(({ record }) => ({ value: record.run, label: record.name })),
          ]}
          value={choices.reward_model}
          onChange={({ currentTarget: { value } }) => change({ reward_model: value })}
        />
      ) : null}
    </div>
  );
}

interface FieldProps {
  label: string;
  value: number;
  range: readonly [number, number];
  decimals?: number;
  onChange: (value: number) => void;
}

function Field({ label, value, range: [min, max], decimals = 0, onChange }: FieldProps) {
  return (
    <NumberInput
      size="xs"
      label={label}
      value={value}
      min={min}
      max={max}
      clampBehavior="blur"
      decimalScale={decimals}
      onChange={(next) => {
        if (typeof next === 'number' && next >= min && next <= max) onChange(next);
      }}
    />
  );
}

const isReward = ({ lineage }: RunRecord): boolean => lineage.objective === 'reward';

/** Whether the model of the address is in the list; also if the address names none. */
const isHere = (models: readonly ListedModel[], subject: string | null): boolean =>
  subject === null || models.some(({ record }) => record.run === subject);

function firstChoices(models: readonly ListedModel[], subject: string | null): Choices {
  const named = models.find(({ record }) => record.run === subject)?.record;
  const stages = models.filter(({ record }) => record.stage != null);
  const first = isHere(models, subject) ? (named ?? stages.at(-1)?.record) : undefined;
  const dataset = first?.stage?.dataset;
  return {
    runs: first ? [first.run] : [],
    task: dataset && dataset.task !== 'own' ? dataset.task : 'tales',
    items: 200,
    measure: ['answers'],
    k: 8,
    samples: 16,
    temperature: 1,
    max_new_tokens: 48,
    reward_model: '',
  };
}

/** Fields of the task that the form does not have are those of the stages themselves. */
function planOf(choices: Choices, chosen: readonly ListedModel[]) {
  const { task, items, k, samples, temperature, max_new_tokens, measure, reward_model } = choices;
  const trained = chosen
    .map(({ record }) => record.stage?.dataset)
    .find((one): one is StageConfig['dataset'] => one?.task === task);
  const fields = trained ?? defaultStage().dataset;
  const dataset = { ...fields, task, eval_size: items };
  const settings = { k, samples: Math.max(k, samples), temperature, max_new_tokens };
  return {
    measure,
    dataset,
    settings: { ...settings, seed: dataset.seed },
    reward_model: reward_model === '' ? null : reward_model,
  };
}
