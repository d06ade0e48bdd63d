/**
 * What the training program holds, in float32 values a token. These lists say what the engine does, and nothing else in
 * this room does: to calibrate the plan against measured bytes, change them.
 */
import type { ResolvedModel } from '../config/index.ts';

export interface Activation { name: string; values: number }

/** Kept from the forward to the backward pass by one block. */
export function keptByBlock(m: ResolvedModel): Activation[] {
  const d = m.n_embd, f = m.n_inner, q = m.n_head * m.head_dim, kv = m.n_kv_head * m.head_dim;
  const common = [
    { name: 'residual stream before each norm', values: 2 * d },
    { name: 'norm outputs', values: 2 * d },
    { name: 'norm statistics', values: m.layout === 'gpt2' ? 4 : 2 },
    { name: 'queries, keys, values', values: q + 2 * kv },
    { name: 'attention output and log-sum-exp', values: q + m.n_head },
  ];
  if (m.layout === 'gpt2') return [...common, { name: 'feed-forward before and after the activation', values: 2 * f }];
  return [
    ...common,
    // RoPE turns in a new tensor and lets go of the old one; QK-norm's gradient needs what came in.
    ...(m.qk_norm ? [{ name: 'queries, keys, values before their norm', values: q + 2 * kv }] : []),
    { name: 'gate, up and their product', values: 3 * f },
  ];
}

/** Kept once: the last norm's input and output, its statistics, and what cross-entropy says of each token. */
export const keptByModel = (m: ResolvedModel): Activation[] => [{ name: 'final norm', values: 2 * m.n_embd + 2 }, { name: 'loss, log-sum-exp, probability, correctness', values: 4 }];

/** Live at the peak of one block's backward pass, besides what is kept: gradients of activations. */
export function transientOfBlock(m: ResolvedModel): Activation[] {
  const d = m.n_embd, qkv = (m.n_head + 2 * m.n_kv_head) * m.head_dim;
  // GPT-2's gradient goes through the activation where the product is stored: there is one of them, before it.
  const feedForward = m.n_inner * (m.layout === 'gpt2' ? 1 : 3) + d, attention = qkv + 2 * d;
  return [
    { name: 'gradient of the residual stream', values: d },
    { name: 'gradients inside the branch', values: Math.max(feedForward, attention) },
  ];
}

/** Inputs: six values a token (ids, targets, positions, weights, and the orders in which the embeddings' gradients add up), and where each id and each position starts in its order. */
export const inputValues = (m: ResolvedModel, tokens: number): number => 6 * tokens + m.vocab_size + m.block_size + 6;

export const valuesOf = (list: readonly Activation[]): number => list.reduce((sum, a) => sum + a.values, 0);
