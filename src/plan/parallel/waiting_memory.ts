/**
 * Temporaries of programs that wait for other ranks, on this page. Tensors that are alive while a program
 * waits cannot be in the scratch memory that all programs share, because another program may run
 * meanwhile (`backend/placement.ts`). A program therefore uses two pools whose peaks add up: one of its
 * own for tensors that are alive at a wait, and the scratch for tensors between two waits.
 */
import type { RecomputeGranularity, ResolvedModel } from '../../config/index.ts';
import { adaptsMlp, type LoraShape } from '../adapted_block.ts';
import type { Mesh } from './mesh.ts';

/** Whether programs of a rank wait inside: for a sum, a gather, or the next pass of a pipeline. */
export const waitsInside = ({ dp, tp, pp, zero_stage }: Mesh): boolean =>
  tp > 1 || pp > 1 || (dp > 1 && zero_stage >= 2);

export interface WaitingRank {
  model: ResolvedModel;
  mesh: Mesh;
  has_embedding: boolean;
  has_head: boolean;
  /**
   * Micro-batches in flight by chunk of layers. Under pipeline parallelism each is a program of its
   * own, and each chunk has an evaluation of its own.
   */
  in_flight: readonly number[];
  recompute_granularity: RecomputeGranularity;
  /** See `ParallelTraining`. */
  adapters: LoraShape | undefined;
  /** Bytes of the rank's logits that exist at a time; 0 without a head. */
  logits: number;
  /** Bytes of scratch of the optimizer's update. */
  update_scratch: number;
  /** Bytes that a block keeps on this rank for the backward pass. */
  block: number;
  /** Bytes of this many values per token, for all tokens, stored in rows of `n_embd`. */
  bytesOf: (values: number) => number;
}

/** Bytes beyond kept activations and logits. `scratch` is in memory that all programs share. */
export const waitingBytes = (rank: WaitingRank): { temporaries: number; scratch: number } => ({
  temporaries: waitingTemporaries(rank),
  scratch: waitingScratch(rank),
});

/** Bytes beyond kept activations and logits. */
function waitingTemporaries(rank: WaitingRank): number {
  const ofChunks = chunksOfRank(rank).map(
    (chunk) => chunk.runs * aliveOfRun(rank, chunk) + aliveOfEvaluation(rank, chunk),
  );
  const aliveAtWaits =
    ofChunks.reduce((a, b) => a + b, 0) + feedForwardAtWaits(rank) + recomputedAtWaits(rank);
  const { dp, tp, pp, zero_stage } = rank.mesh;
  // Logits wait at the turn of a pipeline, or for the head's weights. All others are scratch.
  const wait = tp === 1 && (pp > 1 || (dp > 1 && zero_stage === 3));
  const inScratch = wait ? 0 : rank.logits;
  return aliveAtWaits + Math.max(0, waitingScratch(rank) - inScratch);
}

/** Bytes of the scratch that all programs of the rank share. */
const waitingScratch = (rank: WaitingRank): number =>
  Math.max(scratchBytes(rank), rank.update_scratch);

/** A chunk of a rank: which ends of the model it has, and its micro-batches in flight. */
interface WaitingChunk {
  runs: number;
  has_embedding: boolean;
  has_head: boolean;
}

function chunksOfRank({ in_flight, has_embedding, has_head }: WaitingRank): WaitingChunk[] {
  return in_flight.map((runs, chunk) => ({
    runs,
    has_embedding: has_embedding && chunk === 0,
    has_head: has_head && chunk === in_flight.length - 1,
  }));
}

/** The output of a stage and the gradients of its output and input, and those that a sum waits for. */
function aliveOfRun({ model, mesh, bytesOf }: WaitingRank, { has_head }: WaitingChunk): number {
  const { tp, pp, dp, zero_stage } = mesh;
  const hidden = bytesOf(model.n_embd);
  // A branch's gradient is summed over the ranks while that of the residual stream waits.
  const branch = tp > 1 || (dp > 1 && zero_stage >= 2) ? hidden : 0;
  if (pp === 1) return branch;
  // The gradient of the input is added up in the place of the output's.
  if (!has_head) return 2 * hidden + branch;
  return hidden + branch;
}

function aliveOfEvaluation(
  { model, mesh, bytesOf }: WaitingRank,
  { has_embedding, has_head }: WaitingChunk,
): number {
  const { tp, pp, dp, zero_stage } = mesh;
  // It shares the memory of the step.
  if (pp === 1) return 0;
  const hidden = bytesOf(model.n_embd);
  const output = pp > 1 && !has_head ? hidden : 0;
  // The residual stream, a branch and their sum.
  if (tp > 1 || (dp > 1 && zero_stage === 3)) return 3 * hidden + output;
  const input = pp > 1 && !has_embedding ? hidden : 0;
  return input + output;
}

/**
 * What the feed-forward branch of the last block, or of one that runs again, adds to what is kept.
 * Without gathers nothing waits between its forward pass and its first gradients, so what only these
 * read lies in the scratch. Gradients inside it wait while matrices are gathered or sent; without
 * recomputation they take the place of activations.
 */
function feedForwardAtWaits(waiting: WaitingRank): number {
  const { model, mesh, logits, bytesOf, ...rank } = waiting;
  const { dp, tp, zero_stage } = mesh;
  if (adaptsMlp(rank.adapters)) return adaptedFeedForwardAtWaits(waiting);
  if (dp === 1 || zero_stage < 2) return 0;
  const isGpt2 = model.layout === 'gpt2';
  const inner = model.n_inner / tp;
  if (zero_stage === 2 && tp === 1) return -bytesOf(isGpt2 ? 2 * inner : inner);
  if (rank.recompute_granularity !== 'full') return 0;
  // One operation of GPT-2 has the whole branch, unless tensor parallelism splits it. Without dropout
  // the branch ends earlier, before its last matmul.
  const split = model.dropout > 0 ? inner : model.n_embd;
  if (isGpt2) return tp > 1 ? bytesOf(split) : 0;
  // It takes the place of logits that wait.
  const place = tp === 1 ? logits : 0;
  return zero_stage === 3 ? Math.max(0, bytesOf(2 * inner) - place) : 0;
}

/**
 * The same with adapters in the branch: their gradients and the frozen weights wait while its activation
 * exists, which is computed again (`adaptedBlock`; with full recomputation it is among what is kept).
 */
function adaptedFeedForwardAtWaits(rank: WaitingRank): number {
  const { model, mesh, recompute_granularity, bytesOf } = rank;
  const { dp, tp, zero_stage } = mesh;
  const inner = bytesOf(model.n_inner / tp);
  const isSharded = dp > 1 && zero_stage >= 2;
  const isGpt2 = model.layout === 'gpt2';
  if (tp === 1 && !isSharded) return 0;
  if (tp === 1 && zero_stage === 2 && !isGpt2) return 2 * inner;
  if (recompute_granularity === 'full') return isGpt2 && !isSharded ? -inner : 0;
  return tp > 1 && isGpt2 ? 0 : inner;
}

/**
 * What selective recomputation makes again while gradients are sent or matrices are gathered: outputs
 * of norms and, under ZeRO-3, the product of gate and up.
 */
function recomputedAtWaits({ model, mesh, recompute_granularity, bytesOf }: WaitingRank): number {
  const { dp, tp, zero_stage } = mesh;
  if (recompute_granularity !== 'selective' || dp === 1 || zero_stage < 2) return 0;
  const { n_embd, n_inner, layout } = model;
  if (layout === 'gpt2') return bytesOf(zero_stage === 2 ? 2 * n_embd : n_embd);
  return bytesOf(zero_stage === 2 ? n_embd : n_embd + n_inner / tp);
}

/** The largest scratch of a program: the evaluation, or what runs again. */
function scratchBytes(rank: WaitingRank): number {
  const { model, mesh, logits, bytesOf } = rank;
  const { n_embd, n_inner, n_head, n_kv_head, head_dim } = model;
  const { dp, tp, zero_stage } = mesh;
  const projected = ((model.layout === 'gpt2' ? 1 : 2) * n_inner) / tp;
  const heads = ((n_head + 2 * n_kv_head) * head_dim) / tp;
  const gathers = tp > 1 || (dp > 1 && zero_stage === 3);
  const residual = gathers ? 0 : 2 * n_embd;
  // Under ZeRO-3, what the last projection of a split branch reads waits for its weights.
  const isWaiting = model.layout === 'gpt2' && tp > 1 && dp > 1 && zero_stage === 3;
  const inner = isWaiting ? 0 : n_inner / tp;
  const atOnce = [projected + inner, n_embd + heads, isWaiting ? 0 : n_embd + projected];
  // Logits take the place of the largest activation.
  const ofLogits = Math.max(0, logits - bytesOf(projected));
  const evaluation = bytesOf(residual + Math.max(...atOnce)) + ofLogits;
  return Math.max(evaluation, scratchAgain(rank, bytesOf(projected)));
}

/** Of what runs again without a wait: a block of a pipeline, or the feed-forward branch of GPT-2. */
function scratchAgain(rank: WaitingRank, projected: number): number {
  const { model, mesh, logits, bytesOf } = rank;
  const { dp, tp, pp, zero_stage } = mesh;
  if (rank.recompute_granularity !== 'full' || tp > 1) return 0;
  // The branch that dropout reads.
  const dropped = model.dropout > 0 ? bytesOf(model.n_embd) : 0;
  if (pp > 1) return rank.block + projected + dropped - bytesOf(model.n_embd);
  if (dp === 1 || zero_stage !== 2 || model.layout !== 'gpt2') return 0;
  return bytesOf(2 * model.n_inner + model.n_embd) + dropped + Math.max(projected, logits);
}
