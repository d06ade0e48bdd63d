/**
 * Parameters by kind, counted from the shapes alone. A test holds them against the model's own
 * list.
 */
import type { ResolvedModel } from '../config/index.ts';

export interface ParameterCount {
  /** Token and position embeddings. */
  embedding: number;
  attention: number;
  feed_forward: number;
  norm: number;
  /** The output matrix; 0 where it is tied to the embedding. */
  head: number;
  total: number;
}

/**
 * Parameters of GPT-2 small, 124,439,808: the yardstick that readers know (Radford et al. 2019).
 */
export const GPT2_SMALL_PARAMETERS = 124_439_808;

export function countParameters(m: ResolvedModel): ParameterCount {
  const gpt2 = m.layout === 'gpt2';
  const biases = gpt2 && m.bias ? 1 : 0;
  const d = m.n_embd;
  const f = m.n_inner;
  const q = m.n_head * m.head_dim;
  const qkv = q + 2 * m.n_kv_head * m.head_dim;
  const norms = 2 * m.n_layer + 1;
  const count = {
    embedding: m.vocab_size * d + (gpt2 ? m.block_size * d : 0),
    attention: m.n_layer * (d * qkv + q * d + biases * (qkv + d)),
    feed_forward: m.n_layer * (gpt2 ? 2 * d * f + biases * (f + d) : 3 * d * f),
    norm: norms * d * (1 + biases) + (!gpt2 && m.qk_norm ? m.n_layer * 2 * m.head_dim : 0),
    head: m.tie_word_embeddings ? 0 : m.vocab_size * d,
  };
  return {
    ...count,
    total: count.embedding + count.attention + count.feed_forward + count.norm + count.head,
  };
}

/** Values of the matrices inside blocks: what Muon keeps one moment of, and AdamW two. */
export const blockMatrixParameters = (m: ResolvedModel): number =>
  m.n_layer *
  m.n_embd *
  (2 * m.n_head * m.head_dim +
    2 * m.n_kv_head * m.head_dim +
    (m.layout === 'gpt2' ? 2 : 3) * m.n_inner);
