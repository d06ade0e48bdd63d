/** An optimizer: a chain, the state that it keeps, and one update as a function over Stores. */
import { concat, reshape, scalar, square, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { fillInPlace, Store, type Values } from '../backend/index.ts';
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
import { flatNorm, flatResults, updateFused } from './fused.ts';
import type { LossScale } from './loss_scale.ts';
import { globalNorm, updatePlainly, zeroGradients } from './plain.ts';
import { scalarStore, writeScalars } from './scalars.ts';
import { assign, type UpdateStores } from './stores.ts';

/**
 * What an optimizer remembers, to be read and written as one Store would be: `exp_avg.NAME` and so
 * on, for each parameter NAME.
 */
export interface OptimizerState {
  readonly names: readonly string[];
  readonly bytes: number;
  read(): Promise<Map<string, Values>>;
  write(name: string, values: Values): void;
}

export interface Optimizer {
  readonly chain: readonly Transform[];
  readonly state: OptimizerState;
  /**
   * Writes what changes from step to step, before the update is submitted. `step` counts from 0;
   * updates that a loss scale leaves out are taken off on the device, so where `finishStep` has one
   * they count here.
   */
  prepare(step: number, learning_rate: number): void;
  /**
   * One update: clips, moves parameters and state, and zeroes the gradients, so that the next
   * step's micro-batches can add to them. Called inside a program. Returns the norm of all
   * gradients before clipping, a scalar.
   */
  update(parameters: Store, gradients: Store): { grad_norm: Tensor };
  /**
   * The same at the end of a step whose sums [n] (loss, accuracy) a Store of that name holds:
   * results [n + 1], the sums and then the norm of all gradients; the sums are zeroed for the next
   * step. With a loss scale the gradients are divided by it first; where their norm is no number
   * nothing moves but the scale.
   */
  finishStep(
    parameters: Store,
    gradients: Store,
    sums: Store,
    scaling?: LossScale | null,
  ): { results: Tensor };
  dispose(): void;
}

/**
 * `parameters` are those that train, in the order of their Stores (matrices first). The state
 * starts at zero.
 */
export function createOptimizer(
  training: TrainingConfig,
  parameters: readonly OptimizedParameter[],
): Optimizer {
  const chain = describeOptimizer(training);
  const scalars = scalarStore();
  const state: Partial<Record<Moment, Store>> = {};
  for (const moment of MOMENTS) {
    const kept = parameters.filter((p) => momentsOf(chain, p).includes(moment));
    if (kept.length > 0)
      state[moment] = new Store(
        moment,
        kept.map((p) => ({ name: `${moment}.${p.name}`, shape: p.shape })),
      );
  }
  const stores = MOMENTS.flatMap((m) => state[m] ?? []);
  return {
    chain,
    state: joined(stores),
    prepare: (step, learning_rate) => writeScalars(scalars, training, step, learning_rate),
    update: (weights, gradients) => ({
      grad_norm: update(chain, parameters, { parameters: weights, gradients, state, scalars }),
    }),
    finishStep: (weights, gradients, sums, scaling = null) => ({
      results: updateAndResults(
        chain,
        parameters,
        { parameters: weights, gradients, state, scalars },
        sums,
        scaling,
      ),
    }),
    dispose: () => {
      for (const s of [...stores, scalars]) s.dispose();
    },
  };
}

/**
 * One Store a moment, so that each is a flat buffer laid out as the parameters are; together they
 * read as one.
 */
function joined(stores: readonly Store[]): OptimizerState {
  return {
    names: stores.flatMap((s) => s.names),
    bytes: stores.reduce((n, s) => n + s.bytes, 0),
    async read() {
      return new Map(
        (await Promise.all(stores.map((s) => s.read()))).flatMap((values) => [...values]),
      );
    },
    write(name, values) {
      const store = stores.find((s) => s.names.includes(name));
      if (!store) throw new Error(`This optimizer keeps no ${name}.`);
      store.write(name, values);
    },
  };
}

function update(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: UpdateStores,
): Tensor {
  const norm = kernelsInUse() ? flatNorm(s.gradients) : globalNorm(parameters, s.gradients);
  move(chain, parameters, s, norm, null);
  return norm;
}

function updateAndResults(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: UpdateStores,
  sums: Store,
  scaling: LossScale | null,
): Tensor {
  const of = sums.get('sums');
  if (kernelsInUse()) {
    const { norm, inverse_scale, results } = flatResults(chain, s, of, scaling);
    move(chain, parameters, s, norm, inverse_scale);
    return results;
  }
  const length = globalNorm(parameters, s.gradients);
  if (!scaling) {
    const results = concat([of, reshape(length, [1])]);
    move(chain, parameters, s, length, null);
    assign(sums, 'sums', zerosLike(of));
    return results;
  }
  const { store, max_scale } = scaling;
  const scale = store.get('scale');
  const counts = store.get('counts');
  const scalars = s.scalars.get('scalars');
  const next = run(
    scaledStepResults,
    { parts: reshape(square(length), [1]), sums: of, scale, counts, scalars },
    { max_scale, ...betasOf(chain) },
  );
  assign(s.scalars, 'scalars', next.scalars);
  move(chain, parameters, s, next.norm, next.inverse_scale);
  assign(sums, 'sums', next.sums);
  assign(store, 'scale', next.scale);
  assign(store, 'counts', next.counts);
  return next.results;
}

/**
 * Moves parameters and state by gradients that are `inverse_scale` (null: 1) of what the buffers
 * hold, and zeroes these.
 */
function move(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: UpdateStores,
  norm: Tensor,
  inverse_scale: Tensor | null,
): void {
  if (!kernelsInUse()) {
    updatePlainly(chain, parameters, s, norm, inverse_scale);
    zeroGradients(s.gradients);
    return;
  }
  const rest = updateFused(chain, parameters, s, norm, inverse_scale ?? scalar(1));
  updatePlainly(chain, rest, s, norm, inverse_scale);
  for (const p of rest) fillInPlace(s.gradients.get(p.name), 0);
}
