/**
 * Long-lived tensors: parameters, gradients, optimizer state, inputs, caches. Where there are
 * kernels of ours (WebGPU, the engine on the processor) a Store is one buffer (several if the
 * binding limit requires it) and its tensors are views at 256-byte offsets, which kernels write in
 * place. On the other backends each tensor is separate and is replaced when it changes.
 */
import { dispose, engine, keep, tensor as makeTensor, type Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange, DeviceBuffer } from './buffer_range.ts';
import { storeAsFloat16 } from './float16.ts';
import { readback, writeTensor } from './readback.ts';
import { hasOwnKernels, onWebGpu, tensorMemory } from './state.ts';
import { bytesOf, layoutOf, sizeOf, type Spec } from './store_layout.ts';
import type { Values } from './values.ts';
import { viewOf } from './views.ts';

export type { Spec } from './store_layout.ts';

/** One buffer of a store as a flat float32 tensor, over which the optimizer's kernels run. */
export interface Chunk {
  tensor: Tensor;
  names: readonly string[];
  /** In values, padding included. */
  length: number;
}

/** What an update reads of a Store: a Store, or parts of one (`PartStore`). */
export type TensorStore = Pick<
  Store,
  'label' | 'names' | 'chunks' | 'get' | 'replace' | 'flat' | 'offsetOf'
>;

export class Store {
  readonly label: string;
  readonly specs: readonly Spec[];
  /**
   * One flat view a buffer; empty where the backend has no flat buffers. The padding between
   * tensors is zero and stays zero.
   */
  readonly chunks: Chunk[] = [];
  readonly #specs: ReadonlyMap<string, Spec>;
  readonly #tensors = new Map<string, Tensor>();
  readonly #buffers: DeviceBuffer[] = [];
  readonly #flats = new Map<string, Tensor>();
  #places: ReadonlyMap<string, { chunk: number; offset: number }> = new Map();

  /**
   * All values are zero.
   *
   * @throws ProcessorMemoryFull; nothing is allocated then. RangeError for a tensor that cannot be
   * stored as float16
   */
  constructor(label: string, specs: readonly Spec[]) {
    for (const spec of specs) checkStorage(spec);
    this.label = label;
    this.specs = specs;
    this.#specs = new Map(specs.map((spec) => [spec.name, spec]));
    if (!hasOwnKernels()) {
      for (const spec of specs) this.#tensors.set(spec.name, zeros(spec));
      return;
    }
    try {
      this.#allocate();
    } catch (error) {
      this.dispose();
      throw error;
    }
  }

  #allocate(): void {
    const memory = tensorMemory();
    const layout = layoutOf(this.specs, memory.largest);
    this.#places = layout.places;
    for (const { names, bytes } of layout.groups) {
      const buffer = memory.createBuffer(this.label, bytes);
      this.#buffers.push(buffer);
      const flat = keep(memory.placeholder([bytes / 4], 'float32'));
      memory.bind(flat, { buffer, offset: 0, size: bytes });
      this.chunks.push({ tensor: flat, names, length: bytes / 4 });
    }
    for (const spec of this.specs) {
      const view = keep(memory.placeholder(spec.shape, spec.dtype ?? 'float32'));
      if (spec.storage === 'float16') storeAsFloat16(view);
      memory.bind(view, this.#rangeOf(spec));
      this.#tensors.set(spec.name, view);
    }
  }

  get names(): string[] {
    return this.specs.map((spec) => spec.name);
  }

  get bytes(): number {
    if (this.#buffers.length > 0)
      return this.#buffers.reduce((sum, buffer) => sum + buffer.size, 0);
    return this.specs.reduce((sum, spec) => sum + 4 * sizeOf(spec.shape), 0);
  }

  /** Throws if there is no tensor of this name. */
  get(name: string): Tensor {
    const found = this.#tensors.get(name);
    if (!found) throw new Error(`${this.label} has no ${name}.`);
    return found;
  }

  /** Chunk of a tensor, and the offset of its first value there, in values. Own kernels only. */
  offsetOf(name: string): { chunk: number; offset: number } {
    const place = this.#places.get(name);
    if (!place) throw new Error(`${this.label} has no flat ${name}.`);
    return { chunk: place.chunk, offset: place.offset / 4 };
  }

  /**
   * The consecutive tensors from `first` to `last`, all of one chunk, as one flat view that
   * includes the padding between them. Owned by the store. Own kernels only.
   */
  flat(first: string, last: string): Tensor {
    const key = JSON.stringify([first, last]);
    const known = this.#flats.get(key);
    if (known) return known;
    const from = this.#rangeOf(this.#spec(first));
    const to = this.#rangeOf(this.#spec(last));
    const size = to.offset + to.size - from.offset;
    if (from.buffer !== to.buffer || size <= 0)
      throw new Error(`${first} to ${last} of ${this.label} is not one contiguous range.`);
    const memory = tensorMemory();
    const view = keep(memory.placeholder([size / 4], 'float32'));
    memory.bind(view, { buffer: from.buffer, offset: from.offset, size });
    this.#flats.set(key, view);
    return view;
  }

  /**
   * `length` values of a tensor from index `start` on, a multiple of 64, as a flat view. Owned by the
   * store. Own kernels only.
   */
  part(name: string, start: number, length: number): Tensor {
    const key = JSON.stringify([name, start, length]);
    const known = this.#flats.get(key);
    if (known) return known;
    const view = keep(viewOf(this.get(name), [length], start));
    this.#flats.set(key, view);
    return view;
  }

  /**
   * Replaces a tensor by a new one, which the store then owns. Throws where tensors are written in
   * place.
   */
  replace(name: string, tensor: Tensor): void {
    if (this.#buffers.length > 0)
      throw new Error(`${this.label} is written in place on this backend.`);
    const old = this.get(name);
    this.#tensors.set(name, keep(tensor));
    old.dispose();
  }

  /**
   * Writes values from JavaScript, after all work submitted before and ahead of all work submitted
   * later. Throws if the number of values is wrong.
   */
  write(name: string, values: Values): void {
    const spec = this.#spec(name);
    const size = sizeOf(spec.shape);
    if (values.length !== size)
      throw new Error(`${name} of ${this.label} holds ${size} values, got ${values.length}.`);
    if (this.#buffers.length > 0) {
      writeTensor(this.get(name), values);
      return;
    }
    // A copy, because wasm and cpu tensors may alias the array that they are made from.
    this.replace(name, makeTensor(values.slice(), [...spec.shape], spec.dtype ?? 'float32'));
  }

  /** Reads all tensors, or those named, back. */
  async read(names: readonly string[] = this.names): Promise<Map<string, Values>> {
    const values = await readback(names.map((name) => this.get(name)));
    return new Map(names.map((name, i) => [name, values[i] ?? new Float32Array()]));
  }

  dispose(): void {
    dispose([...this.#tensors.values()]);
    dispose(this.chunks.map((chunk) => chunk.tensor));
    dispose([...this.#flats.values()]);
    for (const buffer of this.#buffers) buffer.destroy();
  }

  #rangeOf(spec: Spec): BufferRange {
    const place = this.#places.get(spec.name);
    const buffer = place && this.#buffers[place.chunk];
    if (!buffer) throw new Error(`${this.label} has no ${spec.name}.`);
    return { buffer, offset: place.offset, size: bytesOf(spec) };
  }

  #spec(name: string): Spec {
    const found = this.#specs.get(name);
    if (!found) throw new Error(`${this.label} has no ${name}.`);
    return found;
  }
}

function checkStorage({ name, shape, dtype, storage }: Spec): void {
  if (storage !== 'float16') return;
  const isInRowsOfFour = (shape.at(-1) ?? 0) % 4 === 0 && dtype !== 'int32';
  if (onWebGpu() && isInRowsOfFour) return;
  throw new RangeError(`${name} cannot be stored as float16 here.`);
}

function zeros(spec: Spec): Tensor {
  const size = sizeOf(spec.shape);
  const values = spec.dtype === 'int32' ? new Int32Array(size) : new Float32Array(size);
  return keep(makeTensor(values, [...spec.shape], spec.dtype ?? 'float32'));
}

/** Number of tensors that tfjs holds. It stays constant in a loop without leaks. */
export function tensorCount(): number {
  return engine().memory().numTensors;
}
