/**
 * Long-lived tensors: parameters, gradients, optimizer state, inputs, caches. On WebGPU a Store is
 * one buffer (several, where the binding limit asks for it) and its tensors are views at 256-byte
 * offsets, written in place by kernels. On the other backends each is a tensor of its own, replaced
 * when it changes.
 */
import { dispose, engine, keep, tensor, type Tensor } from '@tensorflow/tfjs-core';
import { storageOf, valuesOfHalves } from './halves.ts';
import { onWebGpu, webgpu } from './state.ts';
import { bindRange, type BufferRange, flushTfjs, placeholder, residence } from './tfjs_private.ts';

export interface Spec {
  name: string;
  shape: readonly number[];
  dtype?: 'float32' | 'int32';
}
export type Values = Float32Array | Int32Array;

/**
 * A stretch of a store in one buffer, as one flat float32 tensor: what the optimizer's kernels run
 * over.
 */
export interface Chunk {
  tensor: Tensor;
  names: readonly string[];
  length: number;
}

const ALIGN = 256;
const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export class Store {
  private readonly tensors = new Map<string, Tensor>();
  private readonly offsets = new Map<string, { chunk: number; offset: number }>();
  private readonly buffers: GPUBuffer[] = [];
  /**
   * Flat views, one a buffer; empty where the backend has no flat buffers. Padding between tensors
   * is zero and stays zero.
   */
  readonly chunks: Chunk[] = [];
  private readonly flats = new Map<string, Tensor>();

  constructor(
    readonly label: string,
    readonly specs: readonly Spec[],
  ) {
    if (onWebGpu()) this.allocate();
    else for (const s of specs) this.tensors.set(s.name, zeros(s));
  }

  private allocate(): void {
    const { backend, device } = webgpu();
    const limit = device.limits.maxStorageBufferBindingSize;
    const groups: { names: string[]; bytes: number }[] = [];
    for (const s of this.specs) {
      const bytes = Math.ceil((sizeOf(s.shape) * 4) / ALIGN) * ALIGN;
      const last = groups[groups.length - 1];
      const group = last && last.bytes + bytes <= limit ? last : { names: [], bytes: 0 };
      if (group !== last) groups.push(group);
      this.offsets.set(s.name, { chunk: groups.length - 1, offset: group.bytes });
      group.names.push(s.name);
      group.bytes += bytes;
    }
    for (const g of groups) {
      const buffer = device.createBuffer({
        label: this.label,
        size: g.bytes,
        usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
      });
      this.buffers.push(buffer);
      const flat = keep(placeholder(backend, [g.bytes / 4], 'float32'));
      bindRange(backend, flat.dataId, { buffer, offset: 0, size: g.bytes });
      this.chunks.push({ tensor: flat, names: g.names, length: g.bytes / 4 });
    }
    for (const s of this.specs) {
      const t = keep(placeholder(backend, s.shape, s.dtype ?? 'float32'));
      bindRange(backend, t.dataId, this.rangeOf(s));
      this.tensors.set(s.name, t);
    }
  }

  private rangeOf(s: Spec): BufferRange {
    const at = this.offsets.get(s.name);
    const buffer = at && this.buffers[at.chunk];
    if (!buffer) throw new Error(`${this.label} has no ${s.name}.`);
    return { buffer, offset: at.offset, size: Math.max(4, sizeOf(s.shape) * 4) };
  }

  private spec(name: string): Spec {
    const s = this.specs.find((x) => x.name === name);
    if (!s) throw new Error(`${this.label} has no ${name}.`);
    return s;
  }

  /** First value of a tensor in its chunk, in floats: how flat kernels find a tensor again. */
  offsetOf(name: string): { chunk: number; offset: number } {
    const at = this.offsets.get(name);
    if (!at) throw new Error(`${this.label} has no flat ${name}.`);
    return { chunk: at.chunk, offset: at.offset / 4 };
  }

  /**
   * Consecutive tensors of one chunk, from `first` to `last`, as one flat view with the padding
   * between them: what a kernel takes that runs over a part of a store. Belongs to the store.
   * WebGPU alone.
   */
  flat(first: string, last: string): Tensor {
    const key = JSON.stringify([first, last]);
    const known = this.flats.get(key);
    if (known) return known;
    const from = this.rangeOf(this.spec(first));
    const to = this.rangeOf(this.spec(last));
    const size = to.offset + to.size - from.offset;
    if (from.buffer !== to.buffer || size <= 0)
      throw new Error(`${first} to ${last} of ${this.label} is not one stretch.`);
    const t = outOfTidy(() => placeholder(webgpu().backend, [size / 4], 'float32'));
    bindRange(webgpu().backend, t.dataId, { buffer: from.buffer, offset: from.offset, size });
    this.flats.set(key, t);
    return t;
  }

  get names(): string[] {
    return this.specs.map((s) => s.name);
  }
  get bytes(): number {
    return (
      this.buffers.reduce((n, b) => n + b.size, 0) ||
      this.specs.reduce((n, s) => n + 4 * sizeOf(s.shape), 0)
    );
  }

  get(name: string): Tensor {
    const t = this.tensors.get(name);
    if (!t) throw new Error(`${this.label} has no ${name}.`);
    return t;
  }

  /**
   * Takes over a new tensor in place of the old one; where buffers are written in place this is an
   * error of ours.
   */
  replace(name: string, t: Tensor): void {
    if (this.buffers.length > 0)
      throw new Error(`${this.label} is written in place on this backend.`);
    const old = this.get(name);
    this.tensors.set(name, keep(t));
    old.dispose();
  }

  /** Writes values from JavaScript; ordered with what is submitted before and after. */
  write(name: string, values: Values): void {
    const s = this.spec(name);
    if (values.length !== sizeOf(s.shape))
      throw new Error(
        `${name} of ${this.label} holds ${sizeOf(s.shape)} values, got ${values.length}.`,
      );
    if (this.buffers.length === 0) {
      // A copy: wasm and cpu tensors may alias the array that they are made from.
      this.replace(
        name,
        outOfTidy(() => tensor(values.slice(), [...s.shape], s.dtype ?? 'float32')),
      );
      return;
    }
    const { backend, device } = webgpu();
    const range = this.rangeOf(s);
    flushTfjs(backend);
    device.queue.writeBuffer(
      range.buffer,
      range.offset,
      values.buffer,
      values.byteOffset,
      values.byteLength,
    );
  }

  /** Reads all tensors (or those named) back. */
  async read(names: readonly string[] = this.names): Promise<Map<string, Values>> {
    const values = await readback(names.map((n) => this.get(n)));
    return new Map(names.map((n, i) => [n, values[i] ?? new Float32Array()]));
  }

  dispose(): void {
    dispose([...this.tensors.values()]);
    dispose(this.chunks.map((c) => c.tensor));
    dispose([...this.flats.values()]);
    for (const b of this.buffers) b.destroy();
  }
}

const zeros = (s: Spec): Tensor => {
  const n = sizeOf(s.shape);
  return keep(
    tensor(
      s.dtype === 'int32' ? new Int32Array(n) : new Float32Array(n),
      [...s.shape],
      s.dtype ?? 'float32',
    ),
  );
};

/** Makes a tensor that no surrounding tidy disposes. */
function outOfTidy(make: () => Tensor): Tensor {
  return keep(make());
}

const bytesOf = (t: Tensor): number => t.size * (storageOf(t) === 'float16' ? 2 : 4);

/**
 * Reads tensors back in one copy, through a staging buffer of our own on WebGPU (tfjs's `data()`
 * caches on the CPU).
 */
export async function readback(tensors: readonly Tensor[]): Promise<Values[]> {
  if (!onWebGpu())
    return Promise.all(
      tensors.map(async (t) =>
        (t.dtype === 'int32' ? Int32Array : Float32Array).from(await t.data()),
      ),
    );
  const { backend, device } = webgpu();
  flushTfjs(backend);
  const total = tensors.reduce((n, t) => n + bytesOf(t), 0);
  if (total === 0) return [];
  const staging = device.createBuffer({
    label: 'read back',
    size: total,
    usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
  });
  try {
    const encoder = device.createCommandEncoder();
    const host: (Values | null)[] = [];
    let at = 0;
    for (const t of tensors) {
      const where = residence(backend, t.dataId);
      if (where.on === 'gpu')
        encoder.copyBufferToBuffer(where.range.buffer, where.range.offset, staging, at, bytesOf(t));
      host.push(
        where.on === 'cpu'
          ? t.dtype === 'int32'
            ? Int32Array.from(where.values)
            : Float32Array.from(where.values)
          : null,
      );
      at += bytesOf(t);
    }
    device.queue.submit([encoder.finish()]);
    await staging.mapAsync(GPUMapMode.READ);
    const bytes = staging.getMappedRange().slice(0);
    at = 0;
    return tensors.map((t, i) => {
      const from = at;
      at += bytesOf(t);
      return (
        host[i] ??
        (storageOf(t) === 'float16'
          ? valuesOfHalves(new Uint16Array(bytes, from, t.size))
          : t.dtype === 'int32'
            ? new Int32Array(bytes, from, t.size)
            : new Float32Array(bytes, from, t.size))
      );
    });
  } finally {
    staging.destroy();
  }
}

/** Where a tensor of a program lies on the GPU, for copies into a ring. */
export function rangeOfTensor(t: Tensor): BufferRange {
  const where = residence(webgpu().backend, t.dataId);
  if (where.on !== 'gpu') throw new Error('This tensor is not on the GPU.');
  return { ...where.range, size: bytesOf(t) };
}

/** Number of tensors that tfjs holds: flat in a loop that leaks nothing. */
export const tensorCount = (): number => engine().memory().numTensors;
