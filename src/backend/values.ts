/** Values of tensors in JavaScript, and their conversion from and to what buffers store. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { bytesPerValue, decodeFloat16, encodeFloat16, storageOf } from './float16.ts';

export type Values = Float32Array | Int32Array;

/** Bytes that the tensor's values take in a buffer. */
export function byteLengthOf(tensor: Tensor): number {
  return tensor.size * bytesPerValue(tensor);
}

/** The tensor's values from the bytes of its buffer, which begin at `offset` in `bytes`. */
export function decodeValues(tensor: Tensor, bytes: ArrayBuffer, offset = 0): Values {
  if (storageOf(tensor) === 'float16')
    return decodeFloat16(new Uint16Array(bytes, offset, tensor.size));
  if (tensor.dtype === 'int32') return new Int32Array(bytes, offset, tensor.size);
  return new Float32Array(bytes, offset, tensor.size);
}

/** The bytes that the tensor's buffer stores for these values. */
export function encodeValues(tensor: Tensor, values: Values): Values | Uint16Array {
  return storageOf(tensor) === 'float16' ? encodeFloat16(values) : values;
}

/** A copy of values that are on the CPU, by the tensor's dtype. */
export function copyValues(tensor: Tensor, values: ArrayLike<number>): Values {
  return tensor.dtype === 'int32' ? new Int32Array(values) : new Float32Array(values);
}
