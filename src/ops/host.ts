/** Small helpers of the float64 oracles. */
import type { DType, HostTensor } from './define.ts';

/** Zeros of this shape. */
export function zeros(shape: readonly number[], dtype: DType = 'float32'): HostTensor {
  return { shape, dtype, data: new Float64Array(shape.reduce((a, b) => a * b, 1)) };
}

/** The numbers of a 2-D shape; a shape of another rank is an error of ours. */
export function dims2(shape: readonly number[]): [number, number] {
  const [a, b] = shape;
  if (shape.length !== 2 || a === undefined || b === undefined)
    throw new Error(`Expected two dimensions, got [${shape.join(', ')}].`);
  return [a, b];
}

/** Value at an index that the caller knows to be inside. */
export const at = (t: HostTensor, i: number): number => t.data[i] ?? NaN;
