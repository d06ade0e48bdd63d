/**
 * What the training program holds, in values per token. These lists describe the engine, and nothing
 * else in this folder does: to calibrate the plan against measured bytes, change them.
 */
import type { RecomputeGranularity, ResolvedModel, TrainingConfig } from '../config/index.ts';

export interface Activation {
  name: string;
  /** Values per token. */
  values: number;
  /**
   * Row length of its tensors. Mixed precision stores them as float16 if it is a multiple of four;
   * per-row statistics (length 1) stay float32.
   */
  row: number;
  /**
   * Tensor parallelism splits it among the ranks, because it lies between a column-parallel and a
   * row-parallel matmul. All others are whole on every rank.
   */
  split?: true;
  /** Selective recomputation computes it again instead. */
  recomputed?: true;
}

/** Without what selective recomputation does not keep. */
const keptUnder = (granularity: RecomputeGranularity, all: Activation[]): Activation[] =>
  granularity === 'selective' ? all.filter(({ recomputed }) => !recomputed) : all;

/**
 * What one block keeps from the forward to the backward pass; with full recomputation, the one that
 * runs again.
 */
export const keptByBlock = (
  model: ResolvedModel,
  granularity: RecomputeGranularity,
): Activation[] => keptUnder(granularity, activationsOfBlock(model));

function activationsOfBlock(model: ResolvedModel): Activation[] {
  const { n_embd: d, n_inner: f, head_dim, n_head, n_kv_head } = model;
  const q = n_head * head_dim;
  const qkv = q + 2 * n_kv_head * head_dim;
  const isGpt2 = model.layout === 'gpt2';
  const packed: Activation = { name: 'queries, keys, values', values: qkv, row: qkv, split: true };
  const common: Activation[] = [
    { name: 'residual stream before each norm', values: 2 * d, row: d },
    { name: 'norm outputs', values: 2 * d, row: d, recomputed: true },
    { name: 'norm statistics', values: isGpt2 ? 4 : 2, row: 1 },
    { name: 'attention output', values: q, row: q, split: true },
    { name: 'log-sum-exp of attention', values: n_head, row: 1, split: true },
  ];
  if (isGpt2) {
    const hidden = 'feed-forward before and after the activation';
    return [...common, packed, { name: hidden, values: 2 * f, row: f, split: true }];
  }
  const gated: Activation[] = [
    ...common,
    { name: 'gate and up', values: 2 * f, row: f, split: true },
    { name: 'their product', values: f, row: f, split: true, recomputed: true },
  ];
  if (!model.qk_norm) return [...gated, packed];
  // RoPE writes a new tensor and frees its input; the gradient of QK-norm needs its own input.
  const beforeNorm = { ...packed, name: 'queries, keys, values before QK-norm' };
  return [...gated, { ...packed, recomputed: true }, beforeNorm];
}

/** What is kept once: input, output and statistics of the last norm, and results per token. */
export const keptByModel = (
  { n_embd }: ResolvedModel,
  granularity: RecomputeGranularity,
): Activation[] =>
  keptUnder(granularity, [
    { name: 'input of the final norm', values: n_embd, row: n_embd },
    { name: 'output of the final norm', values: n_embd, row: n_embd, recomputed: true },
    {
      name: 'statistics of the final norm, loss, log-sum-exp, probability, correctness',
      values: 6,
      row: 1,
    },
  ]);

/**
 * Gradients of activations that exist at the peak of one block's backward pass, in addition to what
 * is kept.
 */
export function transientOfBlock(
  model: ResolvedModel,
  granularity: RecomputeGranularity,
): Activation[] {
  const { n_embd: d, n_inner: f, head_dim, n_head, n_kv_head } = model;
  const qkv = (n_head + 2 * n_kv_head) * head_dim;
  const again = granularity === 'selective' ? 1 : 0;
  // GPT-2 fuses the activation's gradient into the matmul, so only the gradient before it exists. In
  // Llama, the product of gate and up is freed before the gradients of these two exist, which
  // therefore take its place, if it is kept.
  const feedForward = model.layout === 'gpt2' ? f + d + again * d : (2 + again) * f + d;
  const attention = qkv + d + again * d;
  const name = 'gradients inside a branch, and of its output';
  return [{ name, values: Math.max(feedForward, attention), row: d }];
}

/**
 * Values of the inputs of one micro-batch: six per token (ids, targets, positions, weights, and the
 * orders in which the gradients of the two embeddings are summed), and the start of each id and each
 * position in these orders.
 */
export const inputValues = (model: ResolvedModel, tokens: number): number =>
  6 * tokens + model.vocab_size + model.block_size + 6;

type Precision = TrainingConfig['mixed_precision'];

/** Bytes of one value in tensors with this row length. */
export const bytesPerValue = (row: number, precision: Precision): number =>
  precision === 'fp16' && row % 4 === 0 ? 2 : 4;

/** Bytes per token of these activations. */
export const bytesOf = (activations: readonly Activation[], precision: Precision): number =>
  activations.reduce((sum, { values, row }) => sum + values * bytesPerValue(row, precision), 0);
