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
  const trainer: TrainerOptions = {
    objective: pretrain,
    split: patternSplit(),
    vocab_size: VOCAB,
    ...options,
  };
  const trainers = await Promise.all(
    connectRanks(worldSize(mesh)).map((link) => RankTrainer.create({ ...trainer, mesh, link })),
  );
  const losses: number[] = [];
  const norms: number[] = [];
  const metrics: StepResult['metrics'][] = [];
  for (let step = 0; step < options.steps; step++) {
    const [first] = await Promise.all(trainers.map((one) => one.takeStep()));
    losses.push(first?.loss ?? NaN);
    norms.push(first?.grad_norm ?? NaN);
    metrics.push(first?.metrics ?? {});
  }
  const [evaluation = {}] = options.evaluate
    ? await Promise.all(trainers.map((one) => one.evaluate()))
    : [];
  const [state] = await Promise.all(trainers.map((one) => one.state()));
  for (const one of trainers) one.dispose();
  if (!state) throw new Error('Rank 0 gathers the state.');
  return { losses, norms, metrics, state, evaluation, trainers };
}

/**
 * Expects losses, norms and weights to agree within `rtol`: losses and norms each, weights in the
 * norm of all of them. A single weight may differ by more: Adam divides a gradient by its own size,
 * so where the gradient is nothing but rounding (the bias of keys) its direction is, too.
 */
export function expectWithin(rtol: number, a: RanksRun, b: RanksRun, what: string): void {
  const differences = {
    losses: relativeDifference([a.losses], [b.losses]),
    norms: relativeDifference([a.norms], [b.norms]),
    weights: relativeDifference(...inTheSameOrder(a.state.parameters, b.state.parameters)),
    objective: relativeDifference(...inTheSameOrder(ofObjective(a), ofObjective(b))),
  };
  console.log(`${what}: rtol ${rtol}, relative differences ${JSON.stringify(differences)}`);
  for (const difference of Object.values(differences)) expect(difference).toBeLessThan(rtol);
}

/** Parameters of the objective, such as a scalar head; what its source keeps is not among them. */
function ofObjective({ state }: RanksRun): ReadonlyMap<string, Float32Array> {
  const own = [...(state.objective_tensors ?? [])].filter(([name]) => !name.startsWith('source.'));
  return new Map(own.map(([name, { data }]) => [name, data]));
}

function inTheSameOrder(
  a: ReadonlyMap<string, Float32Array>,
  b: ReadonlyMap<string, Float32Array>,
): [ArrayLike<number>[], ArrayLike<number>[]] {
  expect([...b.keys()].sort()).toEqual([...a.keys()].sort());
  return [[...a.values()], [...a.keys()].map((name) => b.get(name) ?? [])];
}

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
