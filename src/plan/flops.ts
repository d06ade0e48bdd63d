/** Floating-point operations a token. */
import type { ResolvedModel } from '../config/index.ts';
import { blockMatrixParameters } from './parameters.ts';

/**
 * FLOPs to train on one token: 6 for each weight that multiplies (2 forward, 4 backward; the head
 * counts, tied or not; looking up an embedding does not), and 12 x n_layer x n_head x head_dim x
 * (tokens attended to) for scores and their sums (Chowdhery et al. 2022, appendix B; nanoGPT's
 * estimate_mfu). As there, the causal half is not taken off, so that utilisation compares with
 * other people's. Recomputation is not counted: it is overhead, not work on the model.
 */
export function flopsPerToken(m: ResolvedModel): number {
  const weights = blockMatrixParameters(m) + m.vocab_size * m.n_embd;
  const attended = m.sliding_window > 0 ? Math.min(m.sliding_window, m.block_size) : m.block_size;
  return 6 * weights + 12 * m.n_layer * m.n_head * m.head_dim * attended;
}
