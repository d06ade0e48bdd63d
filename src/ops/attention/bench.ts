/** Inputs and attributes of the attention operations in the micro-benchmark. */
import type { BenchInput, BenchInputs, BenchSizes } from '../define.ts';
import type { AttentionAttrs, AttentionDropoutAttrs } from './attrs.ts';

export const benchAttrs = ({ B, T, n_head, head_dim }: BenchSizes): AttentionAttrs => ({
  B,
  T,
  n_head,
  n_kv_head: n_head,
  head_dim,
  window: 0,
});

export const benchDropoutAttrs = (sizes: BenchSizes): AttentionDropoutAttrs => ({
  ...benchAttrs(sizes),
  site: 3,
  rate: 0.2,
});

/** FLOPs of the forward pass, ignoring the causal mask. The backward pass takes 2.5 times as many. */
export const benchFlops = ({ B, T, D }: BenchSizes): number => 4 * B * T * T * D;

export const benchQkv = ({ N, D }: BenchSizes, inputs: BenchInputs): BenchInput =>
  inputs.normal(N, 3 * D);

/** Inputs of the gradients, except those that are optional. */
export const benchGradInputs = (
  sizes: BenchSizes,
  inputs: BenchInputs,
): Record<'qkv' | 'y' | 'lse' | 'dy', BenchInput> => {
  const { B, T, N, D, n_head } = sizes;
  return {
    qkv: benchQkv(sizes, inputs),
    y: inputs.normal(N, D),
    lse: inputs.full(8, B, n_head, T),
    dy: inputs.normal(N, D),
  };
};

export const benchRng = (inputs: BenchInputs): BenchInput =>
  inputs.int32([4], (i) => [1337, 3, 0, 0][i] ?? 0);

/** One document in each sequence: as much work as without documents. */
export const benchDocumentStarts = ({ N }: BenchSizes, inputs: BenchInputs): BenchInput =>
  inputs.int32([N], () => 0);
