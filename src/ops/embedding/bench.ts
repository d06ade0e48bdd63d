/** Token ids with their segments (`sortSegments`) in the micro-benchmark. */
import type { BenchInput, BenchInputs } from '../define.ts';
import { sortSegments } from './segments.ts';

/** `n` random ids below `count`. */
export function benchIds(
  inputs: BenchInputs,
  n: number,
  count: number,
): Record<'ids' | 'sorted' | 'starts', BenchInput> {
  const ids = inputs.tokens(n, count);
  const segments = (): { sorted: Int32Array; starts: Int32Array } =>
    sortSegments(Int32Array.from(ids.values()), count);
  return {
    ids,
    sorted: { shape: [n], dtype: 'int32', values: () => segments().sorted },
    starts: { shape: [count + 1], dtype: 'int32', values: () => segments().starts },
  };
}
