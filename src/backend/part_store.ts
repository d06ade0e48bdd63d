/**
 * Parts of the tensors of a Store under the same names: what a rank owns of parameters that every
 * rank holds whole. Only where there are kernels of ours. It shares the Store's buffers and must not
 * outlive it.
 */
import { dispose, keep, type Tensor } from '@tensorflow/tfjs-core';
import type { Chunk, Store, TensorStore } from './store.ts';
import { sizeOf } from './store_layout.ts';
import { viewOf } from './views.ts';

/** Values [start, end) of a tensor, row-major; `start` is a multiple of 64. */
export interface TensorPart {
  name: string;
  start: number;
  end: number;
}

export class PartStore implements TensorStore {
  readonly label: string;
  readonly names: string[];
  /** None: parts have gaps between them. */
  readonly chunks: Chunk[] = [];
  readonly #store: Store;
  readonly #parts: ReadonlyMap<string, TensorPart>;
  readonly #views = new Map<string, Tensor>();

  /** `parts` are in the order of the store's tensors, at most one of each. */
  constructor(store: Store, parts: readonly TensorPart[]) {
    this.label = `parts of ${store.label}`;
    this.#store = store;
    this.names = parts.map(({ name }) => name);
    this.#parts = new Map(parts.map((part) => [part.name, part]));
  }

  /** The part: a vector, or the tensor itself if the part is all of it. */
  get(name: string): Tensor {
    const { start, end } = this.#part(name);
    const whole = this.#store.get(name);
    if (start === 0 && end === sizeOf(whole.shape)) return whole;
    return this.flat(name, name);
  }

  /** Always throws: a part cannot be replaced. */
  replace(name: string): void {
    throw new Error(`${name} of ${this.label} is written in place.`);
  }

  /** See `Store.offsetOf`. */
  offsetOf(name: string): { chunk: number; offset: number } {
    const { chunk, offset } = this.#store.offsetOf(name);
    return { chunk, offset: offset + this.#part(name).start };
  }

  /** See `Store.flat`; the part's end is padded to a multiple of 64 values, as in a Store. */
  flat(first: string, last: string): Tensor {
    const key = JSON.stringify([first, last]);
    const known = this.#views.get(key);
    if (known) return known;
    const from = this.offsetOf(first);
    const to = this.offsetOf(last);
    const { start, end } = this.#part(last);
    const length = to.offset + (end - start) - from.offset;
    const chunk = this.#store.chunks[from.chunk];
    if (!chunk || from.chunk !== to.chunk || length <= 0)
      throw new Error(`${first} to ${last} of ${this.label} is not one contiguous range.`);
    const view = keep(viewOf(chunk.tensor, [length], from.offset));
    this.#views.set(key, view);
    return view;
  }

  dispose(): void {
    dispose([...this.#views.values()]);
  }

  #part(name: string): TensorPart {
    const part = this.#parts.get(name);
    if (!part) throw new Error(`${this.label} has no ${name}.`);
    return part;
  }
}
