/** Tensors of a measurement by name. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { Store } from '../src/backend/index.ts';
import { normal } from './ops_list.ts';

/** Each tensor has a Store of its own: a dispatch cannot bind one buffer for reading and writing. */
export class NamedStores<Name extends string> {
  readonly #stores = new Map<Name, Store>();

  constructor(names: readonly Name[], shapeOf: (name: Name) => readonly number[]) {
    for (const name of names) {
      this.#stores.set(name, new Store(name, [{ name, shape: [...shapeOf(name)] }]));
    }
  }

  /** Throws if there is no such tensor. */
  get(name: Name): Tensor {
    return this.#store(name).get(name);
  }

  write(name: Name, values: Float32Array): void {
    this.#store(name).write(name, values);
  }

  /** Fills those of the tensors that exist with normal values. */
  fill(names: readonly Name[]): void {
    for (const name of names) {
      if (this.#stores.has(name)) this.write(name, normal(this.get(name).size));
    }
  }

  dispose(): void {
    for (const store of this.#stores.values()) store.dispose();
  }

  #store(name: Name): Store {
    const store = this.#stores.get(name);
    if (!store) throw new Error(`There is no tensor ${name}.`);
    return store;
  }
}
