/**
 * What the training program holds, in values a token. These lists say what the engine does, and
 * nothing else in this room does: to calibrate the plan against measured bytes, change them.
 */
import type { ResolvedModel, TrainingConfig } from '../config/index.ts';

/**
 * `row`: width of the tensors, which mixed precision stores as halves where it is a multiple of
 * four; figures of a row, a token's, stay float32.
 */
export interface Activation {
  name: string;
  values: number;
  row: number;
}

/** Kept from the forward to the backward pass by one block. */
export function keptByBlock(m: ResolvedModel): Activation[] {
  const d = m.n_embd;
  const f = m.n_inner;
  const q = m.n_head * m.head_dim;
  const kv = m.n_kv_head * m.head_dim;
  const common = [
    { name: 'residual stream before each norm', values: 2 * d, row: d },
    { name: 'norm outputs', values: 2 * d, row: d },
    { name: 'norm statistics', values: m.layout === 'gpt2' ? 4 : 2, row: 1 },
    { name: 'queries, keys, values', values: q + 2 * kv, row: q + 2 * kv },
    { name: 'attention output', values: q, row: q },
    { name: 'log-sum-exp of attention', values: m.n_head, row: 1 },
  ];
  if (m.layout === 'gpt2')
    return [
      ...common,
      { name: 'feed-forward before and after the activation', values: 2 * f, row: f },
    ];
  return [
    ...common,
    // RoPE turns in a new tensor and lets go of the old one; QK-norm's gradient needs what came in.
    ...(m.qk_norm
      ? [{ name: 'queries, keys, values before their norm', values: q + 2 * kv, row: q + 2 * kv }]
      : []),
    { name: 'gate, up and their product', values: 3 * f, row: f },
  ];
}

/**
 * Kept once: the last norm's input and output, its statistics, and what cross-entropy says of each
 * token.
 */
export const keptByModel = (m: ResolvedModel): Activation[] => [
  { name: 'final norm', values: 2 * m.n_embd, row: m.n_embd },
  { name: 'statistics of it, loss, log-sum-exp, probability, correctness', values: 6, row: 1 },
];

/**
 * Live at the peak of one block's backward pass, besides what is kept: gradients of activations.
 */
export function transientOfBlock(m: ResolvedModel): Activation[] {
  const d = m.n_embd;
  const qkv = (m.n_head + 2 * m.n_kv_head) * m.head_dim;
  // GPT-2's gradient goes through the activation where the product is stored: there is one of them,
  // before it.
  const feedForward = m.n_inner * (m.layout === 'gpt2' ? 1 : 3) + d;
  const attention = qkv + 2 * d;
  return [
    { name: 'gradient of the residual stream', values: d, row: d },
    { name: 'gradients inside the branch', values: Math.max(feedForward, attention), row: d },
  ];
}

/**
 * Inputs: six values a token (ids, targets, positions, weights, and the orders in which the
 * embeddings' gradients add up), and where each id and each position starts in its order.
 */
export const inputValues = (m: ResolvedModel, tokens: number): number =>
  6 * tokens + m.vocab_size + m.block_size + 6;

type Precision = TrainingConfig['mixed_precision'];
/** Bytes of a value of tensors of this width. */
export const bytesPerValue = (row: number, precision: Precision): number =>
  precision === 'fp16' && row % 4 === 0 ? 2 : 4;
/** Bytes a token. */
export const bytesOf = (list: readonly Activation[], precision: Precision): number =>
  list.reduce((sum, a) => sum + a.values * bytesPerValue(a.row, precision), 0);
