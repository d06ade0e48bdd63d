/**
 * Activations, temporaries and logits of a rank, in bytes.
 *
 * Under `fp32` and `autocast` they are those of this page's kernels (`../activations.ts`). Under
 * `mixed` they are those of Megatron-LM without sequence parallelism: sbh(10 + 24/t + 5as/ht) bytes
 * for a layer of the GPT architecture with dropout (Korthikanti et al. 2022, equation 2). The same
 * list of tensors is counted for other architectures.
 */
import { logitsBytes, type ResolvedModel } from '../../config/index.ts';
import {
  type Activation,
  bytesPerValue,
  keptByBlock,
  keptByModel,
  transientOfBlock,
} from '../activations.ts';
import { chunksOf, type Mesh } from './mesh.ts';
import { muonScratch, ownedMatrices } from './muon_memory.ts';
import { layersOfChunk, rankParameters, stageShare, vocabularyPart } from './rank_parameters.ts';
import { microBatchSize, type ParallelTraining, type Precision } from './training.ts';
import { waitingTemporaries, waitsInside } from './waiting_memory.ts';

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

/**
 * Micro-batches whose activations a rank holds at its peak, in chunks of its layers.
 *
 * GPipe keeps all of them (Huang et al. 2019), 1F1B as many as there are stages from this one on
 * (Narayanan et al. 2019), and the interleaved schedule the chunks of its warm-up and one more
 * (Narayanan et al. 2021).
 */
export function chunksInFlight(mesh: Mesh, microbatches: number, pp_rank: number): number {
  const { pp, schedule } = mesh;
  if (pp === 1) return chunksOf(mesh);
  switch (schedule) {
    case 'gpipe':
      return microbatches;
    case '1f1b':
      return Math.min(microbatches, pp - pp_rank);
    case 'interleaved':
      return Math.min(microbatches * chunksOf(mesh), warmUpOf(mesh, pp_rank) + 1);
    default:
      return schedule satisfies never;
  }
}

/** Forward passes of the interleaved schedule before the first backward pass. */
const warmUpOf = (mesh: Mesh, pp_rank: number): number =>
  2 * (mesh.pp - pp_rank - 1) + (chunksOf(mesh) - 1) * mesh.pp;

/**
 * Micro-batches of each chunk of a rank that wait for their backward passes at most. On this page each
 * chunk keeps memory for its own: chunks reach their peaks at different times, so these add up to more
 * than `chunksInFlight`.
 */
export function inFlightByChunk(mesh: Mesh, microbatches: number, pp_rank: number): number[] {
  const chunks = chunksOf(mesh);
  if (chunks === 1) return [chunksInFlight(mesh, microbatches, pp_rank)];
  const warmUp = warmUpOf(mesh, pp_rank);
  const group = mesh.pp * chunks;
  /** Passes of one chunk among the first `count`; backward passes take the chunks in reverse. */
  const passesOf = (chunk: number, count: number): number => {
    const ofGroup = (count % group) - chunk * mesh.pp;
    const rest = Math.min(mesh.pp, Math.max(0, ofGroup));
    return Math.floor(count / group) * mesh.pp + rest;
  };
  // From the end of the warm-up on, the number repeats with every group.
  const last = Math.min(microbatches * chunks, warmUp + 1 + group);
  return Array.from({ length: chunks }, (_, chunk) => {
    let most = 0;
    for (let forwards = 1; forwards <= last; forwards++) {
      const backwards = Math.max(0, forwards - 1 - warmUp);
      const inFlight = passesOf(chunk, forwards) - passesOf(chunks - 1 - chunk, backwards);
      most = Math.max(most, inFlight);
    }
    return most;
  });
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
    const ofRank = {
      ...share,
      model,
      mesh,
      in_flight,
      recompute_granularity,
      update_scratch,
      bytesOf,
    };
    const ofLogits = share.has_head ? rankLogits(model, training, mesh) : 0;
    const waiting = { ...ofRank, block: tokens * block, logits: ofLogits };
    return { activations, logits, temporaries: waitingTemporaries(waiting) };
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
  return { activations, logits, temporaries: Math.max(0, peak - activations - logits) };
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
  { precision, recompute_granularity }: ParallelTraining,
  tp: number,
): number {
  if (precision !== 'mixed') {
    return bytesOfRank(keptByBlock(model, recompute_granularity), precision, tp);
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
