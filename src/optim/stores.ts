/** The Stores that an update reads and writes. */
import {
  copyInPlace,
  hasOwnKernels,
  onProcessor,
  runOnProcessor,
  type Store,
  type TensorStore,
} from '../backend/index.ts';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Moment } from '../common/index.ts';
import type { OptimizedParameter, Transform } from './describe.ts';
import type { LossScale } from './loss_scale.ts';

export interface UpdateStores {
  /** Holds at least the parameters that train; frozen ones in it are not touched. */
  parameters: TensorStore;
  /** Gradients of the parameters that train, under the same names. */
  gradients: TensorStore;
  /** One Store per moment. `exp_avg.NAME` is the first moment of the parameter NAME, and so on. */
  state: Partial<Record<Moment, Store>>;
  /** What changes from step to step (scalars.ts). */
  scalars: Store;
}

/** What the end of a step knows beside its gradients. */
export interface StepEnd {
  /** Of mixed precision. */
  lossScale?: LossScale | null;
  /**
   * Partial sums of squares of all gradients [n], where another place has added them up, such as
   * ranks that each hold a part. By default, they are those of the gradients here.
   */
  squares?: Tensor;
}

/** An update: the chain, the parameters that it moves, and the Stores that hold their values. */
export interface Update {
  chain: readonly Transform[];
  /** The parameters that train, in the order of their Stores. */
  parameters: readonly OptimizedParameter[];
  stores: UpdateStores;
}

/**
 * The Store of a moment.
 *
 * @throws if the optimizer keeps no such moment.
 */
export function stateOf(stores: UpdateStores, moment: Moment): Store {
  const store = stores.state[moment];
  if (!store) throw new Error(`This optimizer keeps no ${moment}.`);
  return store;
}

/** Gives a tensor of the store new values: in place where stores are flat, by replacing it elsewhere. */
export function assign(store: TensorStore, name: string, value: Tensor): void {
  if (hasOwnKernels()) copyInPlace(store.get(name), value);
  else store.replace(name, value);
}

/**
 * The smallest magnitude of Muon's momentum. Gradients of a neuron that never fires stay zero, and
 * its momentum would shrink until its squares, which are in every matmul of the orthogonalization,
 * are denormal. At 1e-18 it cannot be seen in the result: each of the five Newton-Schulz steps
 * multiplies small singular values by at most 3.4.
 */
const LEAST_MOMENTUM = 2 ** -60;

/** The smallest magnitude of a parameter, as in assembly/optimizer.ts. */
const LEAST_PARAMETER = 2 ** -110;

/** Keeps denormals out of what is computed from a momentum; on the processor, where they are slow. */
export const flushMomentum = (momentum: Tensor): void => flush(momentum, LEAST_MOMENTUM);

/** The same for a parameter that weight decay alone changes. */
export const flushParameter = (parameter: Tensor): void => flush(parameter, LEAST_PARAMETER);

function flush(values: Tensor, least: number): void {
  if (!onProcessor()) return;
  runOnProcessor({
    kernel: 'flush_in_place',
    writes: [],
    updates: [values],
    reads: [],
    params: [
      ['i32', values.size],
      ['f32', least],
    ],
  });
}
