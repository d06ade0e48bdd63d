/** The Stores that an update reads and writes. */
import { hasOwnKernels, copyInPlace, type Store } from '../backend/index.ts';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Moment } from '../common/index.ts';
import type { OptimizedParameter, Transform } from './describe.ts';

export interface UpdateStores {
  /** Holds at least the parameters that train; frozen ones in it are not touched. */
  parameters: Store;
  /** Gradients of the parameters that train, under the same names. */
  gradients: Store;
  /** One Store per moment. `exp_avg.NAME` is the first moment of the parameter NAME, and so on. */
  state: Partial<Record<Moment, Store>>;
  /** What changes from step to step (scalars.ts). */
  scalars: Store;
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
export function assign(store: Store, name: string, value: Tensor): void {
  if (hasOwnKernels()) copyInPlace(store.get(name), value);
  else store.replace(name, value);
}
