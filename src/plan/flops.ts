/** Floating-point operations per token. */
import type { ResolvedModel } from '../config/index.ts';
import { blockMatrixParameters } from './parameters.ts';

/**
 * FLOPs to train on one token: 6 for each weight of a matrix product (2 in the forward pass, 4 in
 * the backward pass), and 12 * n_layer * n_head * head_dim * (tokens attended to) for the attention
 * scores and the weighted sums (Chowdhery et al. 2022, appendix B; `estimate_mfu` of nanoGPT). The
 * head counts whether tied or not; looking up an embedding does not count.
 *
 * As in these sources, causal attention is counted in full, so that utilization compares with
 * published numbers, and recomputation is not counted, because it is overhead. All parameters are
 * taken to train.
 */
export function flopsPerToken(model: ResolvedModel): number {
  const { n_layer, n_head, head_dim, n_embd, vocab_size, block_size, sliding_window } = model;
  const weights = blockMatrixParameters(model) + vocab_size * n_embd;
  const attended = sliding_window > 0 ? Math.min(sliding_window, block_size) : block_size;
  return 6 * weights + 12 * n_layer * n_head * head_dim * attended;
}
