/** Runs on several ranks of this thread, for tests. */
import { expect } from 'vitest';
import { type Mesh, type MetricRow, ONE_RANK, worldSize } from '../common/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import type { TokenSplit } from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import type { StepResult, TrainerOptions, TrainerState } from '../train/index.ts';
import { RankTrainer } from './rank_trainer.ts';
import { connectRanks } from './transport/local.ts';

export const VOCAB = 48;

export type Changes = { [S in keyof RunConfig]?: Partial<RunConfig[S]> };

/** A small run with dropout; `changes` replace fields of its sections. */
export function smallConfig(changes: Changes = {}): RunConfig {
  const config = defaultConfig();
  const { model, training } = config;
  Object.assign(model, { n_layer: 2, n_head: 4, n_embd: 32, block_size: 8, dropout: 0.1 });
  Object.assign(training, {
    batch_size: 8,
    max_iters: 50,
    warmup_iters: 2,
    learning_rate: 3e-3,
    eval_iters: 2,
    seed: 3,
  });
  Object.assign(model, changes.model);
  Object.assign(training, changes.training);
  return config;
}

/** Tokens with a pattern that can be learned. */
export function patternSplit(): TokenSplit {
  const tokens = Int32Array.from({ length: 3000 }, (_, i) => (i * i + 3 * (i % 7)) % VOCAB);
  return {
    train: tokens.subarray(0, 2400),
    val: tokens.subarray(2400),
    bytes_per_token: new Uint16Array(VOCAB).fill(1),
  };
}

export interface RanksRun {
  losses: number[];
  norms: number[];
  /** Metrics of the objective in each step. */
  metrics: StepResult['metrics'][];
  state: TrainerState;
  /** Metrics of the evaluation after the last step, if it was asked for. */
  evaluation: Partial<MetricRow>;
  trainers: RankTrainer[];
  /** What each rank held in the end. */
  memory: RankTrainer['memory'][];
}

export interface RanksOptions extends Partial<TrainerOptions> {
  mesh?: Partial<Mesh>;
  config: RunConfig;
  bucket_bytes?: number;
  steps: number;
  evaluate?: boolean;
}

/** Trains on all ranks of a mesh and returns what rank 0 saw; the trainers are disposed of. */
export async function trainRanks(options: RanksOptions): Promise<RanksRun> {
  const mesh: Mesh = { ...ONE_RANK, ...options.mesh };
  const trainerOptions: TrainerOptions = {
    objective: pretrain,
    split: patternSplit(),
    vocab_size: VOCAB,
    ...options,
  };
  const trainers = await Promise.all(
    connectRanks(worldSize(mesh)).map((link) =>
      RankTrainer.create({ ...trainerOptions, mesh, link }),
    ),
  );
  const losses: number[] = [];
  const norms: number[] = [];
  const metrics: StepResult['metrics'][] = [];
  for (let step = 0; step < options.steps; step++) {
    const [first] = await Promise.all(trainers.map((trainer) => trainer.takeStep()));
    losses.push(first?.loss ?? NaN);
    norms.push(first?.grad_norm ?? NaN);
    metrics.push(first?.metrics ?? {});
  }
  const [evaluation = {}] = options.evaluate
    ? await Promise.all(trainers.map((trainer) => trainer.evaluate()))
    : [];
  const [state] = await Promise.all(trainers.map((trainer) => trainer.state()));
  const memory = trainers.map((trainer) => trainer.memory);
  for (const trainer of trainers) trainer.dispose();
  if (!state) throw new Error('Rank 0 gathers the state.');
  return { losses, norms, metrics, state, evaluation, trainers, memory };
}

/**
 * Expects losses, gradient norms and weights of two runs to agree within `rtol`, each in the Euclidean
 * norm of all of their values. A single weight may differ by more: Adam divides a gradient by its own
 * size, so if a gradient is only rounding error (`keyBiasesOf`), so is the direction of the update.
 */
export function expectWithin(rtol: number, a: RanksRun, b: RanksRun, what: string): void {
  expectClose(rtol, [a, b], { what, tensorsOf: (tensors) => tensors });
}

/**
 * As `expectWithin`, for runs of a GPT-2 with biases that are long enough to move the biases of keys.
 * These are left out; instead, their gradients are expected to be only rounding error.
 */
export function expectWithinExceptKeyBiases(
  rtol: number,
  a: RanksRun,
  b: RanksRun,
  what: string,
): void {
  expectClose(rtol, [a, b], { what, tensorsOf: withoutKeyBiases });
  for (const { state } of [a, b]) expectRoundingInKeyBiases(state, what);
}

type Named = ReadonlyMap<string, Float32Array>;

function expectClose(
  rtol: number,
  [a, b]: readonly [RanksRun, RanksRun],
  { what, tensorsOf }: { what: string; tensorsOf: (tensors: Named) => Named },
): void {
  const ofModel = ({ state }: RanksRun): Named => tensorsOf(state.parameters);
  const ofObjective = (run: RanksRun): Named => tensorsOf(objectiveTensors(run));
  const differences = {
    losses: relativeDifference([a.losses], [b.losses]),
    norms: relativeDifference([a.norms], [b.norms]),
    weights: relativeDifference(...inTheSameOrder(ofModel(a), ofModel(b))),
    objective: relativeDifference(...inTheSameOrder(ofObjective(a), ofObjective(b))),
  };
  console.log(`${what}: rtol ${rtol}, relative differences ${JSON.stringify(differences)}`);
  for (const difference of Object.values(differences)) expect(difference).toBeLessThan(rtol);
}

/** Parameters of the objective, such as a scalar head, without the state of its source. */
function objectiveTensors({ state }: RanksRun): Named {
  const tensors = [...(state.objective_tensors ?? [])];
  const parameters = tensors.filter(([name]) => !name.startsWith('source.'));
  return new Map(parameters.map(([name, { data }]) => [name, data]));
}

function inTheSameOrder(a: Named, b: Named): [ArrayLike<number>[], ArrayLike<number>[]] {
  expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
  return [[...a.values()], [...a.keys()].map((name) => b.get(name) ?? [])];
}

/**
 * Where the biases of keys are in a parameter of GPT-2, or in one of its moments. Such a bias adds the
 * same number to all scores of a query, which the softmax cancels, so the loss does not depend on it
 * and its gradient is nothing but rounding. Adam divides a gradient by its own size, so these biases
 * move at random, up to the learning rate a step, and differ by 100 per cent between two orders of
 * summation. With a rotary embedding (the Llama layout) the loss does depend on them.
 */
function keyBiasesOf(name: string, { length }: ArrayLike<number>) {
  if (!name.endsWith('.attn.c_attn.bias')) return null;
  return { start: length / 3, end: (2 * length) / 3 };
}

/** Tensors with zeros in the place of biases of keys. */
function withoutKeyBiases(tensors: Named): Named {
  const zeroed = new Map(tensors);
  for (const [name, values] of tensors) {
    const keys = keyBiasesOf(name, values);
    if (keys) zeroed.set(name, values.slice().fill(0, keys.start, keys.end));
  }
  return zeroed;
}

/** Largest gradient that counts as rounding, relative to the whole gradient of the same bias. */
const ROUNDING = 1e-6;

/** Expects that no gradient but rounding has reached the biases of keys, by their first moments. */
function expectRoundingInKeyBiases({ optimizer }: TrainerState, what: string): void {
  for (const [name, values] of optimizer) {
    const keys = keyBiasesOf(name, values);
    if (!keys || !name.startsWith('exp_avg.')) continue;
    const ofKeys = norm(values.slice(keys.start, keys.end));
    expect(ofKeys / norm(values), `${what}: ${name} of keys`).toBeLessThan(ROUNDING);
  }
}

const norm = (values: Float32Array): number => Math.hypot(...values);

/** Expects every metric of the evaluation on one rank to agree with that on many within 5e-6. */
export function expectSameEvaluation(oneRank: RanksRun, many: RanksRun, what: string): void {
  const metrics = Object.entries(oneRank.evaluation);
  expect(metrics, what).not.toEqual([]);
  for (const [name, value = NaN] of metrics)
    expect(many.evaluation[name], `${what}: ${name}`).toBeCloseTo(value, 5);
}

/** Expects losses, norms, weights, moments and tensors of the objective to have the same bits. */
export function expectSameBits(a: RanksRun, b: RanksRun): void {
  expect(b.losses).toEqual(a.losses);
  expect(b.norms).toEqual(a.norms);
  expect(b.state.objective_tensors).toEqual(a.state.objective_tensors);
  for (const kind of ['parameters', 'optimizer'] as const) {
    expect([...b.state[kind].keys()].sort()).toEqual([...a.state[kind].keys()].sort());
    for (const [name, values] of a.state[kind]) expect(b.state[kind].get(name)).toEqual(values);
  }
}

/** |a - b| / |a| of all values together, in the Euclidean norm; 0 where there are none. */
function relativeDifference(a: readonly ArrayLike<number>[], b: readonly ArrayLike<number>[]) {
  let size = 0;
  let difference = 0;
  a.forEach((values, row) => {
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? NaN;
      size += value ** 2;
      difference += (value - (b[row]?.[i] ?? NaN)) ** 2;
    }
  });
  return difference === 0 ? 0 : Math.sqrt(difference / size);
}
