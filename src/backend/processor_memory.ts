/** The memory of the engine on the processor, and the tfjs backend whose tensors lie in it. */
import {
  type BackendValues,
  DataStorage,
  type DataType,
  engine as tfjsEngine,
  KernelBackend,
  util,
} from '@tensorflow/tfjs-core';
import type { Block, Engine } from '../processor/index.ts';
import { addressOf, type BufferRange } from './buffer_range.ts';
import type { TensorMemory } from './tensor_memory.ts';

type HostValues = Float32Array | Int32Array | Uint8Array;

/** Values that one or several tensors share. Booleans take four bytes each, as int32. */
interface Entry {
  dtype: DataType;
  /** Number of values. */
  size: number;
  references: number;
  range: BufferRange | null;
  /** The block of `range`, if the entry owns it. */
  block: Block | null;
  /** Values that have not been written to memory. */
  values: HostValues | null;
}

/** Name under which tfjs knows the backend. */
export const PROCESSOR = 'processor';

/**
 * The tfjs backend of the engine. Its few kernels (`processor_tfjs.ts`) call `runOnProcessor`. A
 * tensor gets memory when a kernel first needs its address.
 */
export class ProcessorBackend extends KernelBackend {
  readonly engine: Engine;
  readonly #entries: DataStorage<Entry>;

  constructor(engine: Engine) {
    super();
    this.engine = engine;
    this.#entries = new DataStorage(this, tfjsEngine());
  }

  /** Throws if the tensor has been disposed. */
  entry(dataId: object): Entry {
    if (!this.#entries.has(dataId))
      throw new Error('A tensor was used after it had been disposed.');
    return this.#entries.get(dataId);
  }

  /** The range of the values, which are given memory if they have none. */
  ensure(dataId: object): BufferRange {
    const entry = this.entry(dataId);
    if (entry.range) return entry.range;
    const bytes = Math.max(4, 4 * entry.size);
    entry.block = this.engine.heap.allocate(bytes);
    entry.range = { buffer: entry.block, offset: 0, size: bytes };
    if (entry.values) this.writeBytes(entry.range, asWords(entry.values));
    entry.values = null;
    return entry.range;
  }

  writeBytes(range: BufferRange, data: ArrayBufferView | ArrayBuffer): void {
    const bytes = ArrayBuffer.isView(data)
      ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      : new Uint8Array(data);
    this.engine.bytes(addressOf(range), bytes.length).set(bytes);
  }

  override write(values: BackendValues | null, shape: number[], dtype: DataType): object {
    const dataId = {};
    this.#entries.set(dataId, newEntry(values, shape, dtype));
    return dataId;
  }

  // eslint-disable-next-line max-params -- The signature is tfjs's.
  override move(
    dataId: object,
    values: BackendValues | null,
    shape: number[],
    dtype: DataType,
    refCount: number,
  ): void {
    this.#entries.set(dataId, { ...newEntry(values, shape, dtype), references: refCount });
  }

  override readSync(dataId: object): HostValues {
    const { range, values, size, dtype } = this.entry(dataId);
    if (!range) return values ?? new Float32Array(size);
    const { buffer } = this.engine.bytes(addressOf(range), 4 * size).slice();
    if (dtype === 'int32') return new Int32Array(buffer);
    if (dtype === 'bool') return Uint8Array.from(new Int32Array(buffer));
    return new Float32Array(buffer);
  }

  override read(dataId: object): Promise<HostValues> {
    return Promise.resolve(this.readSync(dataId));
  }

  override disposeData(dataId: object, force = false): boolean {
    if (!this.#entries.has(dataId)) return true;
    const entry = this.#entries.get(dataId);
    entry.references--;
    if (!force && entry.references > 0) return false;
    entry.block?.destroy();
    this.#entries.delete(dataId);
    return true;
  }

  override refCount(dataId: object): number {
    return this.#entries.has(dataId) ? this.#entries.get(dataId).references : 0;
  }

  override incRef(dataId: object): void {
    this.entry(dataId).references++;
  }

  override numDataIds(): number {
    return this.#entries.numDataIds();
  }

  override timerAvailable(): boolean {
    return false;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: false };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override epsilon(): number {
    return 1e-7;
  }

  override dispose(): void {
    // The engine owns the memory.
  }
}

function newEntry(values: BackendValues | null, shape: readonly number[], dtype: DataType): Entry {
  if (dtype === 'string' || dtype === 'complex64')
    throw new TypeError(`The engine on the processor has no tensors of type ${dtype}.`);
  return {
    dtype,
    size: util.sizeFromShape([...shape]),
    references: 1,
    range: null,
    block: null,
    values: values ? hostValues(values, dtype) : null,
  };
}

function hostValues(values: BackendValues, dtype: DataType): HostValues {
  if (
    values instanceof Float32Array ||
    values instanceof Int32Array ||
    values instanceof Uint8Array
  )
    return values;
  const numbers = Array.from(values, Number);
  return dtype === 'float32' ? Float32Array.from(numbers) : Int32Array.from(numbers);
}

/** The values as they are in memory, four bytes each. */
function asWords(values: HostValues): ArrayBufferView {
  return values instanceof Uint8Array ? Int32Array.from(values) : values;
}

/** Most bytes of a tensor, so that byte offsets in it are positive as signed 32-bit numbers. */
const LARGEST = 2 ** 31 - 65_536;

export function processorTensorMemory(backend: ProcessorBackend): TensorMemory {
  const { heap } = backend.engine;
  return {
    largest: LARGEST,
    placeholder: (shape, dtype) =>
      tfjsEngine().makeTensorFromTensorInfo({
        dataId: backend.write(null, [...shape], dtype),
        shape: [...shape],
        dtype,
      }),
    bind: ({ dataId }, range) => {
      const entry = backend.entry(dataId);
      entry.block?.destroy();
      entry.block = null;
      entry.range = range;
      entry.values = null;
    },
    residence: ({ dataId }) => {
      const { range, values } = backend.entry(dataId);
      if (range) return { on: 'device', range };
      return values ? { on: 'host', values } : { on: 'nowhere' };
    },
    ensure: ({ dataId }) => backend.ensure(dataId),
    references: ({ dataId }) => backend.refCount(dataId),
    createBuffer: (_label, bytes) => heap.allocateZeros(bytes),
    write: (range, data) => backend.writeBytes(range, data),
  };
}
