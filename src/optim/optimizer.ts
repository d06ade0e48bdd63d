/** An optimizer: its chain, the moments that it keeps, and one update as a function over Stores. */
import { concat, reshape, scalar, square, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { fillInPlace, Store, type TensorStore, type Values } from '../backend/index.ts';
import { type Moment, MOMENTS } from '../common/index.ts';
import type { TrainingConfig } from '../config/index.ts';
import { kernelsInUse, run, scaledStepResults } from '../ops/index.ts';
import {
  betasOf,
  describeOptimizer,
  momentsOf,
  type OptimizedParameter,
  type Transform,
} from './describe.ts';
import { flatNorm, flatResults, type StepResults, updateFused } from './fused.ts';
import type { LossScale } from './loss_scale.ts';
import { globalNorm, updatePlainly, zeroGradients } from './plain.ts';
import { scalarStore, writeScalars } from './scalars.ts';
import { assign, type StepEnd, type Update } from './stores.ts';

/**
 * The moments of an optimizer, read and written as if they were one Store: `exp_avg.NAME` is the
 * first moment of the parameter NAME, and so on.
 */
export interface OptimizerState {
  readonly names: readonly string[];
  readonly bytes: number;
  read(): Promise<Map<string, Values>>;
  /** @throws if the optimizer keeps no moment of this name. */
  write(name: string, values: Values): void;
}

export interface Optimizer {
  readonly chain: readonly Transform[];
  readonly state: OptimizerState;
  /**
   * Writes what changes from step to step. Call it before the update is submitted.
   *
   * `step` counts from 0. With a loss scale, skipped updates count too: `finishStep` subtracts them
   * on the device.
   */
  prepare(step: number, learning_rate: number): void;
  /**
   * One update, inside a program: clips the gradients, updates parameters and moments, and zeroes
   * the gradients for the next step. `parameters` and `gradients` hold the tensors of the parameters
   * that train; `parameters` may hold frozen ones as well, which are not touched. Returns the norm of
   * all gradients before clipping, a scalar.
   */
  update(parameters: TensorStore, gradients: TensorStore): { grad_norm: Tensor };
  /**
   * One update at the end of a step, inside a program. `sums` has a tensor `sums` [n] that the
   * micro-batches added to. Returns results [n + 1]: the sums, then the norm of all gradients. The
   * sums are reset to zero. With a loss scale, the gradients are unscaled first; if their norm is
   * not finite, the update is skipped and only the loss scale changes.
   */
  finishStep(
    parameters: TensorStore,
    gradients: TensorStore,
    sums: Store,
    end?: StepEnd,
  ): { results: Tensor };
  dispose(): void;
}

/**
 * Makes the optimizer of a TrainingConfig with all moments zero.
 *
 * @param parameters the parameters that train, in the order of their Stores (matrices first).
 *   Parameters that are not listed are frozen: they have no moments, and no update touches them.
 */
export function createOptimizer(
  training: TrainingConfig,
  parameters: readonly OptimizedParameter[],
): Optimizer {
  const chain = describeOptimizer(training);
  const scalars = scalarStore();
  const state = momentStores(chain, parameters);
  const stateStores = MOMENTS.flatMap((moment) => state[moment] ?? []);
  const updateOf = (weights: TensorStore, gradients: TensorStore): Update => ({
    chain,
    parameters,
    stores: { parameters: weights, gradients, state, scalars },
  });
  return {
    chain,
    state: joinStores(stateStores),
    prepare: (step, learning_rate) => writeScalars(scalars, training, { step, learning_rate }),
    update: (weights, gradients) => ({ grad_norm: runUpdate(updateOf(weights, gradients)) }),
    finishStep: (weights, gradients, sums, end = {}) => ({
      results: runFinishStep(updateOf(weights, gradients), sums, end),
    }),
    dispose: () => {
      for (const store of [...stateStores, scalars]) store.dispose();
    },
  };
}

/** One Store per moment, so that each is a flat buffer laid out like the parameters. */
function momentStores(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
): Partial<Record<Moment, Store>> {
  const stores: Partial<Record<Moment, Store>> = {};
  for (const moment of MOMENTS) {
    const specs = parameters
      .filter((parameter) => momentsOf(chain, parameter).includes(moment))
      .map(({ name, shape }) => ({ name: `${moment}.${name}`, shape }));
    if (specs.length > 0) stores[moment] = new Store(moment, specs);
  }
  return stores;
}

function joinStores(stores: readonly Store[]): OptimizerState {
  const storeOf = new Map(stores.flatMap((store) => store.names.map((name) => [name, store])));
  return {
    names: stores.flatMap((store) => store.names),
    bytes: stores.reduce((sum, store) => sum + store.bytes, 0),
    async read() {
      const values = await Promise.all(stores.map((store) => store.read()));
      return new Map(values.flatMap((valuesOfStore) => [...valuesOfStore]));
    },
    write(name, values) {
      const store = storeOf.get(name);
      if (!store) throw new Error(`This optimizer keeps no ${name}.`);
      store.write(name, values);
    },
  };
}

/** Returns the norm of all gradients before clipping. */
function runUpdate(update: Update): Tensor {
  const { gradients } = update.stores;
  const norm = kernelsInUse() ? flatNorm(gradients) : globalNorm(update.parameters, gradients);
  applyGradients(update, norm, null);
  return norm;
}

/** Returns the results of the step. */
function runFinishStep(update: Update, sums: Store, end: StepEnd): Tensor {
  if (!kernelsInUse()) return finishStepPlainly(update, sums, end.lossScale ?? null);
  const { norm, inverse_scale, results } = flatResults(update, sums.get('sums'), end);
  applyGradients(update, norm, inverse_scale);
  return results;
}

function finishStepPlainly(update: Update, sums: Store, lossScale: LossScale | null): Tensor {
  const norm = globalNorm(update.parameters, update.stores.gradients);
  if (lossScale) return finishScaledStepPlainly(update, sums, { norm, lossScale });
  const stepSums = sums.get('sums');
  const results = concat([stepSums, reshape(norm, [1])]);
  applyGradients(update, norm, null);
  assign(sums, 'sums', zerosLike(stepSums));
  return results;
}

function finishScaledStepPlainly(
  update: Update,
  sums: Store,
  { norm, lossScale }: { norm: Tensor; lossScale: LossScale },
): Tensor {
  const { store, max_scale } = lossScale;
  const { scalars } = update.stores;
  const next = run(
    scaledStepResults,
    {
      parts: reshape(square(norm), [1]),
      sums: sums.get('sums'),
      scale: store.get('scale'),
      counts: store.get('counts'),
      scalars: scalars.get('scalars'),
    },
    { max_scale, ...betasOf(update.chain) },
  );
  assign(scalars, 'scalars', next.scalars);
  applyGradients(update, next.norm, next.inverse_scale);
  assign(sums, 'sums', next.sums);
  assign(store, 'scale', next.scale);
  assign(store, 'counts', next.counts);
  return next.results;
}

/** Updates parameters and moments, undoing the loss scale if any, and zeroes the gradients. */
function applyGradients(
  update: Update,
  norm: StepResults['norm'],
  inverse_scale: StepResults['inverse_scale'],
): void {
  const { gradients } = update.stores;
  if (!kernelsInUse()) {
    updatePlainly(update, norm, inverse_scale);
    zeroGradients(gradients);
    return;
  }
  const rest = updateFused(update, norm, inverse_scale ?? scalar(1));
  updatePlainly({ ...update, parameters: rest }, norm, inverse_scale);
  for (const { name } of rest) fillInPlace(gradients.get(name), 0);
}
