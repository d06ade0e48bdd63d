/** Runs the golden pairs (golden/README.md) through an objective's source and its traced loss. */
import * as v from 'valibot';
import { readback, submit } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import { defaultConfig, resolveModel } from '../config/index.ts';
import { ModelSchema } from '../config/schema.ts';
import { parseStage } from '../config/stage/index.ts';
import type { EncodedPair } from '../data/index.ts';
import {
  createStores,
  disposeStores,
  listParameters,
  type ModelStores,
  tokenLogps,
  trainingMicroStep,
  Weights,
  writeBatch,
} from '../model/index.ts';
import { pairsData } from '../testing/toy_pairs.ts';
import { dpo } from './dpo.ts';
import type golden from './golden/pairs_gpt2.json';
import type { Objective, ObjectivePrograms, ObjectiveSetting } from './objective.ts';
import { reward } from './reward.ts';

export type Golden = Omit<typeof golden, 'cases'> & { cases: readonly GoldenCase[] };

export interface GoldenCase {
  name: string;
  stage: object;
  loss: number;
  metrics: Readonly<Record<string, number | undefined>>;
  /** By parameter, float32 in base64. */
  gradients: Readonly<Record<string, string | undefined>>;
}

/** How the pairs are laid out; no choice changes what the step computes. */
export interface Layout {
  /** Tokens of a row, the padding included. */
  row_length: number;
  /** Pairs of a micro-batch. */
  batch_size: number;
  reversed: boolean;
}

export interface GoldenResult {
  sums: Readonly<Record<string, number>>;
  gradients: ReadonlyMap<string, ArrayLike<number>>;
}

export function floats(base64: string): Float32Array {
  return new Float32Array(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
}

function pairsOf({ pairs }: Golden): EncodedPair[] {
  const encoded = ({ ids, mask }: { ids: readonly number[]; mask: readonly number[] }) => ({
    ids: Int32Array.from(ids),
    mask: Uint8Array.from(mask),
  });
  return pairs.map(({ chosen, rejected, margin }) => ({
    chosen: encoded(chosen),
    rejected: encoded(rejected),
    margin,
    example: { prompt: '', chosen: '', rejected: '' },
  }));
}

/** Loss, metrics and gradients of one step over all pairs. */
export async function runGolden(
  file: Golden,
  one: GoldenCase,
  layout: Layout,
): Promise<GoldenResult> {
  const { setting, objective } = settingOf(file, one, layout);
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
  for (const { name } of stores.weights.parameters) {
    stores.weights.write(name, valuesOf(file, name).values);
  }
  for (const { name } of reference.parameters)
    reference.write(name, valuesOf(file, name).reference);
  const logps = await tokenLogps(stores, reference);
  const microStep = await trainingMicroStep(stores, (context) => objective.loss(context, setting));
  const batches = await batchesOf(objective, setting, async (batch) => {
    writeBatch(stores.inputs, stores.model, batch, { seed: 0, step: 0 });
    submit([logps]);
    const [values] = await readback([logps.outputs.logps]);
    return Float32Array.from(values ?? []);
  });
  for (const batch of batches) {
    writeBatch(stores.inputs, stores.model, batch, { seed: 0, step: 0 });
    submit([microStep]);
  }
  const result = await resultOf(objective, stores);
  for (const program of [logps, microStep]) program.dispose();
  disposeStores(stores);
  reference.dispose();
  return result;
}

function settingOf(file: Golden, one: GoldenCase, layout: Layout) {
  const { vocab_size, ...model } = file.model;
  const config = defaultConfig();
  config.model = v.parse(ModelSchema, model);
  const gradient_accumulation_steps = file.pairs.length / layout.batch_size;
  Object.assign(config.training, { batch_size: layout.batch_size, gradient_accumulation_steps });
  const stage = parseStage(one.stage);
  const pairs = pairsOf(file);
  const ordered = layout.reversed ? pairs.toReversed() : pairs;
  const data = pairsData(ordered, [], layout.row_length);
  const setting: ObjectiveSetting = {
    config,
    model: resolveModel(config.model, vocab_size),
    stage,
    data,
  };
  return { setting, objective: stage.objective === 'reward' ? reward : dpo };
}

function valuesOf({ parameters }: Golden, name: string) {
  const parameter = parameters.find((other) => other.name === name);
  if (!parameter) throw new Error(`The fixture has no ${name}.`);
  return { values: floats(parameter.values), reference: floats(parameter.reference) };
}

/** The batches of step 0 as the objective's source makes them. */
async function batchesOf(
  objective: Objective,
  setting: ObjectiveSetting,
  referenceLogps: ObjectivePrograms['referenceLogps'],
): Promise<readonly Batch[]> {
  const unused = (): never => {
    throw new Error('The source needs reference log-probabilities only.');
  };
  const programs: ObjectivePrograms = {
    referenceLogps,
    logps: unused,
    run: unused,
    rollouts: unused,
    generation: unused,
  };
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: new Uint16Array(0) };
  return objective.source({ ...setting, split, programs }).step(0);
}

async function resultOf(objective: Objective, stores: ModelStores): Promise<GoldenResult> {
  const sums = (await stores.sums.read()).get('sums') ?? [];
  return {
    sums: Object.fromEntries(objective.sums.map((name, i) => [name, sums[i] ?? NaN])),
    gradients: await stores.gradients.store.read(),
  };
}
