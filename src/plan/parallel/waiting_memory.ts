/**
 * Temporaries of programs that wait for other ranks, on this page. What is alive while a program
 * waits cannot lie in the scratch memory that all programs share, because another one may run
 * meanwhile (`backend/placement.ts`). So its memory is two pools whose peaks add up: tensors that
 * are alive at a wait, which each program has for itself, and the scratch between two waits.
 */
import type { RecomputeGranularity, ResolvedModel } from '../../config/index.ts';
import type { Mesh } from './mesh.ts';

/** Whether programs of a rank wait inside: at a sum, a gather, or the turn of a pipeline. */
export const waitsInside = ({ dp, tp, pp, zero_stage }: Mesh): boolean =>
  tp > 1 || pp > 1 || (dp > 1 && zero_stage >= 2);

export interface WaitingRank {
  model: ResolvedModel;
  mesh: Mesh;
  has_embedding: boolean;
  has_head: boolean;
  /** Micro-batches in flight, each a program of its own under pipeline parallelism. */
  runs: number;
  recompute_granularity: RecomputeGranularity;
  /** Bytes of the rank's logits that exist at a time; 0 without a head. */
  logits: number;
  /** Bytes of scratch of the optimizer's update. */
  update_scratch: number;
  /** What a block keeps on this rank. */
  block: number;
  /** Bytes of as many values per token, in rows of `n_embd`. */
  bytesOf: (values: number) => number;
}

/** Bytes that come on top of kept activations and logits. */
export function waitingTemporaries(rank: WaitingRank): number {
  const aliveAtWaits =
    rank.runs * aliveOfRun(rank) +
    aliveOfEvaluation(rank) +
    feedForwardAtWaits(rank) +
    recomputedAtWaits(rank);
  const { dp, tp, pp, zero_stage } = rank.mesh;
  // Logits wait at the turn of a pipeline, or for the head's weights. All others are scratch.
  const wait = tp === 1 && (pp > 1 || (dp > 1 && zero_stage === 3));
  const inScratch = wait ? 0 : rank.logits;
  const scratch = Math.max(scratchBytes(rank), rank.update_scratch);
  return aliveAtWaits + Math.max(0, scratch - inScratch);
}

/** The output of a stage and the gradients of its output and input, and those that a sum waits for. */
function aliveOfRun({ model, mesh, bytesOf, ...stage }: WaitingRank): number {
  const { tp, pp, dp, zero_stage } = mesh;
  const hidden = bytesOf(model.n_embd);
  // A branch's gradient is summed over the ranks while that of the residual stream waits.
  const branch = tp > 1 || (dp > 1 && zero_stage >= 2) ? hidden : 0;
  if (pp === 1) return branch;
  // The gradient of the input is added up in the place of the output's.
  if (!stage.has_head) return 2 * hidden + branch;
  return hidden + branch;
}

function aliveOfEvaluation({ model, mesh, bytesOf, ...stage }: WaitingRank): number {
  const { tp, pp, dp, zero_stage } = mesh;
  const hidden = bytesOf(model.n_embd);
  const output = pp > 1 && !stage.has_head ? hidden : 0;
  // The residual stream, a branch and their sum.
  if (tp > 1 || (dp > 1 && zero_stage === 3)) return 3 * hidden + output;
  const input = pp > 1 && !stage.has_embedding ? hidden : 0;
  return input + output;
}

/**
 * What the feed-forward branch of the last block, or of one that runs again, adds to what is kept.
 * Without gathers nothing waits between its forward pass and its first gradients, so what only these
 * read lies in the scratch. Gradients inside it wait while matrices are gathered or sent; without
 * recomputation they take the place of activations.
 */
function feedForwardAtWaits({ model, mesh, logits, bytesOf, ...rank }: WaitingRank): number {
  const { dp, tp, zero_stage } = mesh;
  if (dp === 1 || zero_stage < 2) return 0;
  const isGpt2 = model.layout === 'gpt2';
  const inner = model.n_inner / tp;
  if (zero_stage === 2 && tp === 1) return -bytesOf(isGpt2 ? 2 * inner : inner);
  if (rank.recompute_granularity !== 'full') return 0;
  // One operation of GPT-2 has the whole branch, unless tensor parallelism splits it.
  if (isGpt2) return tp > 1 ? bytesOf(inner) : 0;
  // It takes the place of logits that wait.
  const place = tp === 1 ? logits : 0;
  return zero_stage === 3 ? Math.max(0, bytesOf(2 * inner) - place) : 0;
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
  if (pp > 1) return rank.block + projected - bytesOf(model.n_embd);
  if (dp === 1 || zero_stage !== 2 || model.layout !== 'gpt2') return 0;
  return bytesOf(2 * model.n_inner + model.n_embd) + Math.max(projected, logits);
}
