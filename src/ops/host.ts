/** Helpers of the float64 oracles. */
import type { DType, HostTensor } from './define.ts';

/** A tensor of zeros. */
export function zeros(shape: readonly number[], dtype: DType = 'float32'): HostTensor {
  return { shape, dtype, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
}

/** The sizes of a matrix. Throws if the shape does not have two dimensions. */
export function dims2(shape: readonly number[]): [number, number] {
  const [a, b] = shape;
  if (shape.length !== 2 || a === undefined || b === undefined)
    throw new Error(`Expected two dimensions, got [${shape.join(', ')}].`);
  return [a, b];
}

/** The value at a flat index, which must be in range (NaN otherwise). */
export const at = (tensor: HostTensor, i: number): number => tensor.data[i] ?? NaN;
