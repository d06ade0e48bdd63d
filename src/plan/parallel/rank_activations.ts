/**
 * Activations, temporaries and logits of a rank, in bytes.
 *
 * Under `fp32` and `autocast` they are those of this page's kernels (`../activations.ts`). Under
 * `mixed` they are those of Megatron-LM without sequence parallelism: sbh(10 + 24/t + 5as/ht) bytes
 * for a layer of the GPT architecture with dropout (Korthikanti et al. 2022, equation 2). The same
 * list of tensors is counted for other architectures.
 */
import { logitsBytes, type ResolvedModel } from '../../config/index.ts';
import { adaptedBlock } from '../adapted_block.ts';
import {
  type Activation,
  bytesPerValue,
  keptByBlock,
  keptByModel,
  transientOfBlock,
} from '../activations.ts';
import { chunksInFlight, inFlightByChunk } from './in_flight.ts';
import type { Mesh } from './mesh.ts';
import { muonScratch, ownedMatrices } from './muon_memory.ts';
import { layersOfChunk, rankParameters, stageShare, vocabularyPart } from './rank_parameters.ts';
import { microBatchSize, type ParallelTraining, type Precision } from './training.ts';
import { waitingBytes, waitsInside } from './waiting_memory.ts';

export interface RankActivations {
  /** Kept from the forward to the backward pass, of all micro-batches in flight. */
  activations: number;
  logits: number;
  /**
   * What comes on top of both. By how much the peak of one block's backward pass exceeds them:
   * gradients exist then, and with full recomputation the activations of the block, but no longer
   * those of the loss. Of programs that wait for other ranks, see `waiting_memory.ts`.
   */
  temporaries: number;
  /** Those of all these bytes that lie in the scratch that all programs of a rank share. */
  scratch: number;
}

export interface Placement {
  mesh: Mesh;
  pp_rank: number;
  /** Ranks of data parallelism differ where Muon's matrices stay whole; by default, the fullest. */
  dp_rank?: number;
}

/** Bytes per token that a block keeps under `mixed`. */
interface MixedActivations {
  /** Whole on every rank: inputs of norms and of column-parallel matmuls, dropout masks. */
  whole: number;
  /** Split by tensor parallelism. */
  split: number;
  /** Softmax of attention, its dropout mask and what dropout leaves; split as well. */
  scores: number;
}

/** Activations of a block per token, of each tensor 2 bytes a value and 1 of a dropout mask. */
export function mixedActivations(model: ResolvedModel): MixedActivations {
  const { n_embd: d, n_inner: f, n_head, n_kv_head, head_dim, block_size, dropout } = model;
  const q = n_head * head_dim;
  const hasDropout = dropout > 0;
  const feedForward = model.layout === 'gpt2' ? 2 * f : 3 * f;
  const scores = n_head * block_size;
  return {
    whole: 2 * 4 * d + (hasDropout ? 2 * d : 0),
    split: 2 * (q + 2 * n_kv_head * head_dim) + 2 * q + 2 * feedForward,
    scores: scores * (hasDropout ? 5 : 2),
  };
}

const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** Micro-batches that have passed the head and wait for their backward pass, at the peak. */
const logitsInFlight = ({ pp, schedule }: Mesh, microbatches: number): number =>
  pp > 1 && schedule === 'gpipe' ? microbatches : 1;

/** Activations of a rank at the peak of a step. */
export function rankActivations(
  model: ResolvedModel,
  training: ParallelTraining,
  placement: Placement,
): RankActivations {
  const { mesh, pp_rank } = placement;
  const { precision } = training;
  const rows = microBatchSize(training, mesh);
  const tokens = rows * model.block_size;
  const share = stageShare(model, mesh, pp_rank);
  const microbatches = training.gradient_accumulation_steps;
  const in_flight = inFlightByChunk(mesh, microbatches, pp_rank);
  const runs =
    precision === 'mixed' ? chunksInFlight(mesh, microbatches, pp_rank) : total(in_flight);
  const block = blockBytes(model, training, mesh.tp);
  const blockInput = model.n_embd * valueBytes(model.n_embd, precision);
  const { recompute_granularity } = training;
  const recomputes = recompute_granularity === 'full';
  const kept = { runs, layers: layersOfChunk(model, mesh), block, blockInput };
  const ofBlocks = recomputes
    ? recomputedBytes(precision, mesh, kept)
    : kept.runs * kept.layers * block;
  const passes = share.has_head ? logitsInFlight(mesh, microbatches) : 0;
  // Where a block runs again in memory of its program, it takes the place of the loss.
  const freed = recomputes && precision !== 'mixed' && mesh.pp > 1 && mesh.tp > 1;
  const afterBlocks = freed ? 0 : passes * afterBlocksBytes(model, training);
  const activations = tokens * (ofBlocks + afterBlocks);
  // Tensor parallelism on this page keeps none: the gradient computes them again.
  const isChunked = precision !== 'mixed' && mesh.tp > 1;
  const logits = (isChunked ? Math.min(1, passes) : passes) * rankLogits(model, training, mesh);
  const update_scratch = updateScratch(model, training, placement);
  if (precision !== 'mixed' && waitsInside(mesh)) {
    const bytesOf = (values: number): number =>
      tokens * values * valueBytes(model.n_embd, precision);
    const { adapters } = training;
    const how = { recompute_granularity, adapters, update_scratch, bytesOf };
    const ofRank = { ...share, ...how, model, mesh, in_flight };
    const ofLogits = share.has_head ? rankLogits(model, training, mesh) : 0;
    const waiting = { ...ofRank, block: tokens * block, logits: ofLogits };
    return { activations, logits, ...waitingBytes(waiting) };
  }
  // Under `mixed`, selective recomputation keeps the outputs of norms and gates.
  const ofBlock = precision === 'mixed' ? 'none' : recompute_granularity;
  const gradients = bytesOfRank(transientOfBlock(model, ofBlock), precision, 1);
  // Megatron-LM computes every block again; here the last one keeps everything (`../memory.ts`).
  const recomputed = precision === 'mixed' ? block - blockInput : blockInput;
  // The branch that dropout reads, while it is computed again.
  const dropped = precision !== 'mixed' && model.dropout > 0 ? blockInput : 0;
  const again = recomputes ? recomputed + dropped - afterBlocksBytes(model, training) : blockInput;
  const peak = Math.max(activations + tokens * (gradients + again), update_scratch);
  const temporaries = Math.max(0, peak - activations - logits);
  const scratch = activations + logits + temporaries;
  return { activations, logits, temporaries, scratch };
}

/**
 * What a pass keeps of its blocks and after them before any of them runs again: with full recomputation
 * inputs of blocks alone, otherwise the same as `rankActivations`. For a pass whose backward pass waits
 * for that of another one.
 */
export function activationsBeforeBackward(
  model: ResolvedModel,
  training: ParallelTraining,
  placement: Placement,
): number {
  const { recompute_granularity, precision } = training;
  if (recompute_granularity !== 'full' || placement.mesh.pp > 1) {
    return rankActivations(model, training, placement).activations;
  }
  const tokens = microBatchSize(training, placement.mesh) * model.block_size;
  const blockInput = model.n_embd * valueBytes(model.n_embd, precision);
  return tokens * (model.n_layer * blockInput + afterBlocksBytes(model, training));
}

/** Bytes of scratch of the update, which only Muon needs. */
function updateScratch(
  model: ResolvedModel,
  { optimizer, precision }: ParallelTraining,
  { mesh, pp_rank, dp_rank }: Placement,
): number {
  if (optimizer !== 'muon' || precision === 'mixed') return 0;
  return muonScratch(ownedMatrices(rankParameters(model, mesh, pp_rank), mesh, dp_rank));
}

interface KeptOfBlocks {
  /** Micro-batches in flight, of `layers` blocks each. */
  runs: number;
  layers: number;
  block: number;
  blockInput: number;
}

/**
 * Per token, with full recomputation: inputs of blocks and, on this page, all of the last block. In a
 * pipeline it is computed again in scratch memory, or, where its sums over ranks wait inside, in that
 * of each micro-batch.
 */
function recomputedBytes(
  precision: Precision,
  { tp, pp }: Mesh,
  { runs, layers, block, blockInput }: KeptOfBlocks,
): number {
  if (precision === 'mixed' || (pp > 1 && tp === 1)) return runs * layers * blockInput;
  if (pp > 1) return runs * ((layers - 1) * blockInput + block);
  return Math.max(0, layers - 2) * blockInput + block;
}

/** Per token of one block that keeps everything. */
function blockBytes(
  model: ResolvedModel,
  { precision, recompute_granularity, adapters }: ParallelTraining,
  tp: number,
): number {
  if (precision !== 'mixed') {
    const kept = adapters
      ? adaptedBlock(model, adapters, recompute_granularity)
      : keptByBlock(model, recompute_granularity);
    return bytesOfRank(kept, precision, tp);
  }
  const { whole, split, scores } = mixedActivations(model);
  const keptScores = recompute_granularity === 'selective' ? 0 : scores;
  return whole + (split + keptScores) / tp;
}

/** Per token of the final norm and the loss. */
function afterBlocksBytes(
  model: ResolvedModel,
  { precision, recompute_granularity }: ParallelTraining,
): number {
  if (precision === 'mixed') return 4 * model.n_embd;
  return bytesOfRank(keptByModel(model, recompute_granularity), precision, 1);
}

/** Logits of one micro-batch. `mixed`: all of them, in float32 (Korthikanti et al. 2022). */
function rankLogits(model: ResolvedModel, training: ParallelTraining, mesh: Mesh): number {
  const { precision } = training;
  const batch_size = microBatchSize(training, mesh);
  const vocab_size = vocabularyPart(model, mesh);
  if (precision === 'mixed') return 4 * batch_size * model.block_size * vocab_size;
  const mixed_precision = precision === 'autocast' ? 'fp16' : 'no';
  return logitsBytes({ ...model, vocab_size }, { batch_size, mixed_precision });
}

const bytesOfRank = (
  activations: readonly Activation[],
  precision: Precision,
  tp: number,
): number =>
  activations.reduce((sum, { values, row, split }) => {
    const ranks = split ? tp : 1;
    // A statistic of each head is a row of one value, which is not split further.
    const length = row === 1 ? 1 : row / ranks;
    return sum + (values / ranks) * valueBytes(length, precision);
  }, 0);

function valueBytes(row: number, precision: Precision): number {
  switch (precision) {
    case 'fp32':
      return bytesPerValue(row, 'no');
    case 'autocast':
      return bytesPerValue(row, 'fp16');
    case 'mixed':
      return 2;
    default:
      return precision satisfies never;
  }
}
