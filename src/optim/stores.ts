/** The Stores that an update reads and writes. */
import { onWebGpu, copyInPlace, type Store } from '../backend/index.ts';
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Moment } from '../common/index.ts';

export interface UpdateStores {
  parameters: Store;
  gradients: Store;
  /** One Store a moment, `exp_avg.NAME` for the parameter NAME and so on. */
  state: Partial<Record<Moment, Store>>;
  scalars: Store;
}

export function stateOf(s: UpdateStores, moment: Moment): Store {
  const store = s.state[moment];
  if (!store) throw new Error(`This optimizer keeps no ${moment}.`);
  return store;
}

/** The store's tensor takes these values: written in place on WebGPU, replaced elsewhere. */
export function assign(store: Store, name: string, value: Tensor): void {
  if (onWebGpu()) copyInPlace(store.get(name), value);
  else store.replace(name, value);
}
