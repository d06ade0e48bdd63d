/**
 * The memory in which tensors of our kernels lie: buffers of the GPU, or blocks of the engine on the
 * processor. Other tfjs backends have none.
 */
import type { DataType, Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange, DeviceBuffer } from './buffer_range.ts';

/** Where a tensor's values are: in a range, only in JavaScript, or not allocated yet. */
export type Residence =
  | { on: 'device'; range: BufferRange }
  | { on: 'host'; values: Float32Array | Int32Array | Uint8Array }
  | { on: 'nowhere' };

export interface TensorMemory {
  /** Most bytes of one tensor, or of one binding on the GPU. */
  readonly largest: number;
  /** A tensor without memory. */
  placeholder(shape: readonly number[], dtype: DataType): Tensor;
  /** Makes the tensor a view of a range that we own: tfjs neither pools nor frees it. */
  bind(tensor: { dataId: object }, range: BufferRange): void;
  /** Throws if the tensor has been disposed. */
  residence(tensor: { dataId: object }): Residence;
  /** Gives the tensor memory if it has none, with its values if they are in JavaScript. */
  ensure(tensor: { dataId: object }): BufferRange;
  /** Number of tensors that share the values: clones and reshapes. */
  references(tensor: { dataId: object }): number;
  /** A buffer of at least this size, filled with zeros. */
  createBuffer(label: string, bytes: number): DeviceBuffer;
  /** Writes at the beginning of a range, after all work that was submitted before. */
  write(range: BufferRange, data: ArrayBufferView | ArrayBuffer): void;
}
