/** The frequencies of the rotary position embedding (Su et al. 2021; Llama 3.1). */
import type { ResolvedModel } from '../config/index.ts';

/**
 * Settings of `rope_type: llama3`, which are those of every published Llama 3.1 and 3.2. A frequency
 * that turns at most `low_freq_factor` times within the original context is slowed by the whole
 * factor, one that turns at least `high_freq_factor` times is not.
 */
export const LLAMA3_ROPE = {
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 8192,
} as const;

/** head_dim / 2 frequencies in radians per position: theta^(-2i / head_dim), scaled. */
export function ropeFrequencies({ head_dim, rope_theta, rope_factor }: ResolvedModel): number[] {
  return Array.from({ length: head_dim / 2 }, (_, i) =>
    scaled(rope_theta ** ((-2 * i) / head_dim), rope_factor),
  );
}

/** As `_compute_llama3_parameters` of transformers; a factor of 1 leaves all as they are. */
function scaled(frequency: number, factor: number): number {
  const { low_freq_factor, high_freq_factor, original_max_position_embeddings } = LLAMA3_ROPE;
  const turns = (original_max_position_embeddings * frequency) / (2 * Math.PI);
  const share = (turns - low_freq_factor) / (high_freq_factor - low_freq_factor);
  const kept = Math.min(1, Math.max(0, share));
  return factor === 1 ? frequency : kept * frequency + ((1 - kept) * frequency) / factor;
}
