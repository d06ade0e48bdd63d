/** An optimizer: a chain, the state that it keeps, and one update as a function over Stores. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { fillInPlace, Store, type Values } from '../backend/index.ts';
import type { TrainingConfig } from '../config/index.ts';
import { kernelsInUse } from '../ops/index.ts';
import { describeOptimizer, MOMENTS, type Moment, momentsOf, type OptimizedParameter, type Transform } from './describe.ts';
import { flatNorm, updateFused } from './fused.ts';
import { globalNorm, updatePlainly, zeroGradients } from './plain.ts';
import { scalarStore, writeScalars } from './scalars.ts';
import type { UpdateStores } from './stores.ts';

export interface Optimizer {
  readonly chain: readonly Transform[];
  /** One Store a moment that the chain keeps, with tensors `exp_avg.NAME`, `exp_avg_sq.NAME` or `momentum_buffer.NAME`. */
  readonly state: readonly Store[];
  /** Bytes of the state. */
  readonly stateBytes: number;
  /** Writes what changes from step to step, before the update is submitted. `step` counts from 0. */
  prepare(step: number, learning_rate: number): void;
  /**
   * One update: clips, moves parameters and state, and zeroes the gradients, so that the next step's micro-batches can
   * add to them. Called inside a program. Returns the norm of all gradients before clipping, a scalar.
   */
  update(parameters: Store, gradients: Store): { grad_norm: Tensor };
  /** State by name. */
  read(): Promise<Map<string, Values>>;
  /** Puts a saved moment back. Throws where the optimizer keeps no such thing. */
  write(name: string, values: Values): void;
  dispose(): void;
}

/** `parameters` are those that train, in the order of their Stores (matrices first). The state starts at zero. */
export function createOptimizer(training: TrainingConfig, parameters: readonly OptimizedParameter[]): Optimizer {
  const chain = describeOptimizer(training), scalars = scalarStore(), state: Partial<Record<Moment, Store>> = {};
  for (const moment of MOMENTS) {
    const kept = parameters.filter((p) => momentsOf(chain, p).includes(moment));
    if (kept.length > 0) state[moment] = new Store(moment, kept.map((p) => ({ name: `${moment}.${p.name}`, shape: p.shape })));
  }
  const stores = MOMENTS.flatMap((m) => state[m] ?? []);
  const ownerOf = (name: string): Store => {
    const store = stores.find((s) => s.names.includes(name));
    if (!store) throw new Error(`The optimizer keeps no ${name}: the saved run used another optimizer. Start with fresh moments, or choose that one.`);
    return store;
  };
  return {
    chain, state: stores, stateBytes: stores.reduce((n, s) => n + s.bytes, 0),
    prepare: (step, learning_rate) => writeScalars(scalars, training, step, learning_rate),
    update: (weights, gradients) => ({ grad_norm: update(chain, parameters, { parameters: weights, gradients, state, scalars }) }),
    async read() { return new Map((await Promise.all(stores.map((s) => s.read()))).flatMap((values) => [...values])); },
    write: (name, values) => ownerOf(name).write(name, values),
    dispose: () => { for (const s of [...stores, scalars]) s.dispose(); },
  };
}

function update(chain: readonly Transform[], parameters: readonly OptimizedParameter[], s: UpdateStores): Tensor {
  if (!kernelsInUse()) {
    const norm = globalNorm(parameters, s.gradients);
    updatePlainly(chain, parameters, s, norm);
    zeroGradients(s.gradients);
    return norm;
  }
  const norm = flatNorm(s.gradients), rest = updateFused(chain, parameters, s, norm);
  updatePlainly(chain, rest, s, norm);
  for (const p of rest) fillInPlace(s.gradients.get(p.name), 0);
  return norm;
}
