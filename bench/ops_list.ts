/** Sizes and inputs of the micro-benchmark. Its entries are in the records of the operations. */
import type { BenchInput, BenchInputs, BenchSizes } from '../src/ops/index.ts';
import { CONFIGS, type ConfigName, mulberry } from './configs.ts';

export function benchSizes(name: ConfigName): BenchSizes {
  const { batch_size: B, block_size: T, n_embd: D, n_inner: F, ...config } = CONFIGS[name];
  const { vocab_size: V, n_head, n_layer } = config;
  const block = 4 * D * D + 2 * D * F + 9 * D + F;
  const P = (V + T) * D + n_layer * block + 2 * D;
  return { B, T, N: B * T, D, F, V, n_head, head_dim: D / n_head, P };
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Normal values. A block of them is repeated, since drawing 1e8 takes longer than timing them. */
export function normal(n: number): Float32Array {
  const next = mulberry(n);
  const block = Float32Array.from(
    { length: Math.min(n, 65521) },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
  const values = new Float32Array(n);
  for (let at = 0; at < n; at += block.length)
    values.set(block.subarray(0, Math.min(block.length, n - at)), at);
  return values;
}

const float32Input = (shape: readonly number[], values: () => Float32Array): BenchInput => ({
  shape,
  dtype: 'float32',
  values,
});
const int32Input = (shape: readonly number[], values: () => Int32Array): BenchInput => ({
  shape,
  dtype: 'int32',
  values,
});

export const benchInputs: BenchInputs = {
  normal: (...shape) => float32Input(shape, () => normal(sizeOf(shape))),
  full: (value, ...shape) => float32Input(shape, () => new Float32Array(sizeOf(shape)).fill(value)),
  float32: (values) => float32Input([values.length], () => Float32Array.from(values)),
  int32: (shape, value) =>
    int32Input(shape, () => Int32Array.from({ length: sizeOf(shape) }, (_, i) => value(i))),
  tokens: (n, vocab_size) =>
    int32Input([n], () => {
      const next = mulberry(n);
      return Int32Array.from({ length: n }, () => Math.floor(next() * vocab_size));
    }),
};
