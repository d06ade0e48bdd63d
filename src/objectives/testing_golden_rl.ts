/** Runs the golden answers (golden/rl_gpt2.json) through an objective's source and its loss. */
import * as v from 'valibot';
import { readback, submit } from '../backend/index.ts';
import type { Batch, MetricRow } from '../common/index.ts';
import { defaultConfig, resolveModel } from '../config/index.ts';
import { ModelSchema } from '../config/schema.ts';
import { parseStage } from '../config/stage/index.ts';
import type { StageData } from '../data/index.ts';
import {
  createStores,
  disposeStores,
  listParameters,
  type ModelStores,
  trainingMicroStep,
  valueProgram,
  Weights,
  writeBatch,
} from '../model/index.ts';
import { pairsData } from '../testing/toy_pairs.ts';
import type golden from './golden/rl_gpt2.json';
import { grpo } from './grpo.ts';
import {
  type Objective,
  type ObjectivePrograms,
  type ObjectiveSetting,
  tracedValues,
} from './objective.ts';
import { ppo } from './ppo.ts';
import { floats } from './testing_golden.ts';

type File = Omit<typeof golden, 'cases'>;
type Numbers = Readonly<Record<string, number | undefined>>;
type Answer = (typeof golden)['cases'][number]['answers'][number];
interface Packed {
  name: string;
  /** float32 in base64. */
  values: string;
}

export interface RlCase {
  name: string;
  stage: { objective: string; grpo?: { loss_type: string } | undefined };
  parameters: readonly Packed[];
  reference: readonly Packed[];
  prompts: readonly (readonly number[])[];
  answers: readonly Answer[];
  loss: number;
  metrics: Numbers;
  /** By parameter, float32 in base64. */
  gradients: Readonly<Record<string, string | undefined>>;
}

/** How the answers are laid out; no choice changes what the step computes. */
export interface RlLayout {
  /** Tokens of padding that longer held-out prompts add to each row. */
  padding: number;
  micro_batches: number;
}

export interface RlResult {
  metrics: Partial<MetricRow>;
  gradients: ReadonlyMap<string, ArrayLike<number>>;
  batches: readonly Batch[];
}

/** Loss, metrics and gradients of step 0. */
export async function runRlCase(file: File, one: RlCase, layout: RlLayout): Promise<RlResult> {
  const setting = settingOf(file, one, layout);
  const objective = one.stage.objective === 'grpo' ? grpo : ppo;
  const size = objective.shape(setting);
  const stores = createStores({
    model: setting.model,
    ...size,
    parameters: objective.parameters(setting),
    trains: (parameter) => objective.trains(parameter),
    sum_count: objective.sums.length,
    extra_inputs: objective.inputs(size),
  });
  const reference = new Weights(listParameters(setting.model), () => false);
  for (const { name, values } of one.parameters) stores.weights.write(name, floats(values));
  for (const { name, values } of one.reference) reference.write(name, floats(values));
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: new Uint16Array(0) };
  const programs = programsOf({ objective, setting, stores, reference, one });
  const source = objective.source({ ...setting, split, programs });
  const batches = await source.step(0);
  const microStep = await trainingMicroStep(stores, (context) => objective.loss(context, setting));
  for (const batch of batches) {
    writeBatch(stores.inputs, stores.model, batch, { seed: 0, step: 0 });
    submit([microStep]);
  }
  const [sums = []] = await readback([stores.sums.get('sums')]);
  const named = Object.fromEntries(objective.sums.map((name, i) => [name, sums[i] ?? NaN]));
  const metrics = { ...objective.stepMetrics(named), ...source.stepMetrics?.() };
  const gradients = await stores.gradients.store.read();
  microStep.dispose();
  disposeStores(stores);
  reference.dispose();
  return { metrics, gradients, batches };
}

function settingOf(file: File, one: RlCase, layout: RlLayout): ObjectiveSetting {
  const { vocab_size, ...model } = file.model;
  const config = defaultConfig();
  config.model = v.parse(ModelSchema, model);
  Object.assign(config.training, {
    batch_size: one.prompts.length / layout.micro_batches,
    gradient_accumulation_steps: layout.micro_batches,
  });
  return {
    config,
    model: resolveModel(config.model, vocab_size),
    stage: parseStage(one.stage),
    data: dataOf(one, layout.padding),
  };
}

/** An answer's text is its ids, by which its reward is found. */
function dataOf(one: RlCase, padding: number): StageData {
  const data = pairsData([], [], 12);
  const exampleOf = (prompt: number) => ({
    prompt: '',
    kind: String(prompt),
    answer: null,
    facts: {},
  });
  const train = one.prompts.map((ids, prompt) => ({
    ids: Int32Array.from(ids),
    example: exampleOf(prompt),
  }));
  const longest = Math.max(...one.prompts.map((ids) => ids.length));
  const long = { ids: new Int32Array(longest + padding), example: exampleOf(-1) };
  const keyOf = (prompt: number | string, text: string): string => `${prompt}: ${text}`;
  const rewards = new Map(
    one.answers.map(({ prompt, ids, reward }) => [keyOf(prompt, ids.join(' ')), reward]),
  );
  return {
    ...data,
    chat: {
      ...data.chat,
      answerOf: (ids) => ({ text: Array.from(ids).join(' '), ended: ids[ids.length - 1] === 1 }),
    },
    prompts: { train, val: [long] },
    rewards: [
      {
        name: 'correct',
        help: '',
        score: ({ kind }, { text }) => rewards.get(keyOf(kind, text)) ?? NaN,
      },
    ],
  };
}

interface Parts {
  objective: Objective;
  setting: ObjectiveSetting;
  stores: ModelStores;
  reference: Weights;
  one: RlCase;
}

/** Programs of the objective over the fixture's weights, and its answers as rollouts. */
function programsOf(parts: Parts): ObjectivePrograms {
  const { objective, setting, stores, reference, one } = parts;
  const unused = (): never => {
    throw new Error('The source needs rollouts and its own programs only.');
  };
  const left = new Map<string, Answer[]>();
  for (const answer of one.answers) {
    const key = (one.prompts[answer.prompt] ?? []).join(' ');
    left.set(key, [...(left.get(key) ?? []), answer]);
  }
  return {
    logps: unused,
    referenceLogps: unused,
    generation: unused,
    rollouts: ({ prompts }) =>
      Promise.resolve(
        prompts.map((prompt) => {
          const answer = left.get(prompt.join(' '))?.shift();
          if (!answer) throw new Error('The fixture has no further answer to this prompt.');
          const { ids, logps, ended } = answer;
          return { ids: Int32Array.from(ids), logps: Float32Array.from(logps), ended };
        }),
      ),
    run: async (name, batch) => {
      const values = objective.programs[name];
      if (!values) throw new Error(`There is no program ${name}.`);
      const trace = tracedValues(values, setting);
      const program = await valueProgram(stores, { name, reference }, trace);
      writeBatch(stores.inputs, stores.model, batch, { seed: 0, step: 0 });
      submit([program]);
      const [read = []] = await readback([program.outputs.values]);
      program.dispose();
      const { targets, positions } = batch;
      return Float32Array.from(read, (value, i) =>
        name === 'values' ? value + valueNoise(targets[i] ?? 0, positions[i] ?? 0) : value,
      );
    },
  };
}

/** What old values differ from values by, as in scripts/make_golden_rl.py. */
const valueNoise = (token: number, position: number): number =>
  0.3 * Math.sin(7 * position + token);
