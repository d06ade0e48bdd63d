/**
 * Activations, temporaries and logits of a rank, in bytes.
 *
 * The precisions `fp32` and `autocast` describe the kernels of this page (`../activations.ts`). `mixed`
 * describes Megatron-LM without sequence parallelism: sbh(10 + 24/t + 5as/ht) bytes for a layer of the
 * GPT architecture with dropout (Korthikanti et al. 2022, equation 2), and the same list of tensors for
 * other architectures.
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
  /** Kept from the forward to the backward pass, for all micro-batches in flight. */
  activations: number;
  logits: number;
  /**
   * By how much the peak of one block's backward pass exceeds both: gradients exist then, and with full
   * recomputation the activations of the block, but those of the loss are free. For programs that wait
   * for other ranks, see `waiting_memory.ts`.
   */
  temporaries: number;
  /** How many of all these bytes are in the scratch that all programs of a rank share. */
  scratch: number;
}

export interface Placement {
  mesh: Mesh;
  pp_rank: number;
  /** Matters only for Muon's whole matrices. Default: the rank that owns the most of them. */
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

/** Bytes of a block per token, with 2 bytes for each value and 1 for each value of a dropout mask. */
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

/** The largest number of micro-batches between the forward and backward pass of the head. */
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
  const layers = layersOfChunk(model, mesh);
  const blocksBytes = recomputes
    ? recomputedBytes(precision, mesh, { runs, layers, block, blockInput })
    : runs * layers * block;
  const passes = share.has_head ? logitsInFlight(mesh, microbatches) : 0;
  // A block that runs again in the memory of its own program reuses that of the loss.
  const reusesLoss = recomputes && precision !== 'mixed' && mesh.pp > 1 && mesh.tp > 1;
  const afterBlocks = reusesLoss ? 0 : passes * afterBlocksBytes(model, training);
  const activations = tokens * (blocksBytes + afterBlocks);
  // Tensor parallelism on this page keeps no logits, but computes them again for the gradient.
  const isChunked = precision !== 'mixed' && mesh.tp > 1;
  const logits = (isChunked ? Math.min(1, passes) : passes) * rankLogits(model, training, mesh);
  const update_scratch = updateScratch(model, training, placement);
  if (precision !== 'mixed' && waitsInside(mesh)) {
    const bytesOf = (values: number): number =>
      tokens * values * valueBytes(model.n_embd, precision);
    const waiting = waitingBytes({
      model,
      mesh,
      has_embedding: share.has_embedding,
      has_head: share.has_head,
      in_flight,
      recompute_granularity,
      adapters: training.adapters,
      logits: share.has_head ? rankLogits(model, training, mesh) : 0,
      update_scratch,
      block: tokens * block,
      bytesOf,
    });
    return { activations, logits, ...waiting };
  }
  const backward = tokens * blockBackwardBytes(model, training, block);
  const peak = Math.max(activations + backward, update_scratch);
  const temporaries = Math.max(0, peak - activations - logits);
  const scratch = activations + logits + temporaries;
  return { activations, logits, temporaries, scratch };
}

/**
 * Bytes per token that the backward pass of a block holds beyond kept activations. `block`: bytes per
 * token of all activations of the block.
 */
function blockBackwardBytes(
  model: ResolvedModel,
  training: ParallelTraining,
  block: number,
): number {
  const { precision, recompute_granularity } = training;
  const isMixed = precision === 'mixed';
  const blockInput = model.n_embd * valueBytes(model.n_embd, precision);
  // Selective recomputation of Megatron-LM keeps the outputs of norms and gates.
  const granularity = isMixed ? 'none' : recompute_granularity;
  const gradients = bytesOfRank(transientOfBlock(model, granularity), precision, 1);
  if (recompute_granularity !== 'full') return gradients + blockInput;
  // Megatron-LM recomputes every block; on this page the last one keeps everything (`../memory.ts`).
  const recomputed = isMixed ? block - blockInput : blockInput;
  // The branch whose output dropout reads again while the block is recomputed.
  const dropped = !isMixed && model.dropout > 0 ? blockInput : 0;
  return gradients + (recomputed + dropped - afterBlocksBytes(model, training));
}

/**
 * Activations that a pass keeps before any block is recomputed: with full recomputation only the inputs
 * of blocks, otherwise as many as `rankActivations`. For a forward pass that is followed by the forward
 * and backward pass of another model (PPO's policy and value model).
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

/** Bytes of scratch of the optimizer's update, which only Muon needs. */
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
 * Bytes per token with full recomputation: the inputs of blocks and, on this page, all activations of the
 * last block. In a pipeline the last block is recomputed too: in scratch memory, or under tensor
 * parallelism, where it waits for other ranks, in the memory of each micro-batch.
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

/** Bytes per token of one block that is not recomputed as a whole. */
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

/** Bytes per token of the final norm and the loss. */
function afterBlocksBytes(
  model: ResolvedModel,
  { precision, recompute_granularity }: ParallelTraining,
): number {
  if (precision === 'mixed') return 4 * model.n_embd;
  return bytesOfRank(keptByModel(model, recompute_granularity), precision, 1);
}

/** Bytes of the logits of one micro-batch; under `mixed` all in float32 (Korthikanti et al. 2022). */
function rankLogits(model: ResolvedModel, training: ParallelTraining, mesh: Mesh): number {
  const { precision } = training;
  const batch_size = microBatchSize(training, mesh);
  const vocab_size = vocabularyPart(model, mesh);
  if (precision === 'mixed') return 4 * batch_size * model.block_size * vocab_size;
  const mixed_precision = precision === 'autocast' ? 'fp16' : 'no';
  return logitsBytes({ ...model, vocab_size }, { batch_size, mixed_precision });
}

/** Bytes per token of these activations on one rank of tensor parallelism. */
const bytesOfRank = (
  activations: readonly Activation[],
  precision: Precision,
  tp: number,
): number =>
  activations.reduce((sum, { values, row, split }) => {
    const ranks = split ? tp : 1;
    // A statistic of a head is a row of one value, which cannot be split further.
    const length = row === 1 ? 1 : row / ranks;
    return sum + (values / ranks) * valueBytes(length, precision);
  }, 0);

/** Bytes of one value in a tensor with rows of this length. */
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
