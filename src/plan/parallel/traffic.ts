/**
 * Bytes that a rank sends in a step, by kind of collective. Collectives are rings: of N ranks, each
 * sends 2(N-1)/N of a tensor to all-reduce it, and (N-1)/N to reduce-scatter or to all-gather it, in
 * N-1 messages each way (Patarasuk and Yuan 2009).
 */
import type { ResolvedModel } from '../../config/index.ts';
import { bytesPerValue } from '../activations.ts';
import { chunksOf } from './mesh.ts';
import type { Placement } from './rank_activations.ts';
import {
  countRankParameters,
  rankParameters,
  stageShare,
  vocabularyPart,
} from './rank_parameters.ts';
import { adaptersOfRank } from './stage_parameters.ts';
import { bytesPerParameter, microBatchSize, type ParallelTraining } from './training.ts';

export type CollectiveKind = 'all_reduce' | 'reduce_scatter' | 'all_gather' | 'send';

export interface Traffic {
  kind: CollectiveKind;
  /** The ranks that take part: those of data, tensor or pipeline parallelism. */
  group: 'dp' | 'tp' | 'pp';
  /** What is sent, as the page says it. */
  what: string;
  /** Sent by this rank in a step. */
  bytes: number;
  /** Messages of this rank in a step. Gradients and parameters count as one tensor a unit. */
  messages: number;
}

/** Everything that a rank sends in a step; nothing is listed that is not sent. */
export function rankTraffic(
  model: ResolvedModel,
  training: ParallelTraining,
  placement: Placement,
): Traffic[] {
  const context = { model, training, ...placement };
  return [...dataTraffic(context), ...tensorTraffic(context), ...pipelineTraffic(context)].filter(
    ({ bytes }) => bytes > 0,
  );
}

interface Context extends Placement {
  model: ResolvedModel;
  training: ParallelTraining;
}

/**
 * ZeRO-2 reduces gradients after each micro-batch, because it has no place for whole ones; without it
 * `sync_each_batch` does so. ZeRO-3 gathers the parameters for the forward and for the backward pass of
 * each micro-batch. With adapters, these alone have gradients; ZeRO-3 gathers frozen weights as well.
 */
function dataTraffic({ model, training, mesh, pp_rank }: Context): Traffic[] {
  const { dp, pp, zero_stage, sync_each_batch = false } = mesh;
  const microbatches = training.gradient_accumulation_steps;
  if (dp === 1) return [];
  const weights = rankParameters(model, mesh, pp_rank);
  const adapters = training.adapters && adaptersOfRank(model, training.adapters, { mesh, pp_rank });
  const values = countRankParameters(adapters ?? weights);
  const gathered = countRankParameters([...weights, ...(adapters ?? [])]);
  const { weight, gradient } = bytesPerParameter(training.precision);
  const units = stageShare(model, mesh, pp_rank).layers + 1;
  const once = (dp - 1) / dp;
  const group = 'dp';
  const isSynced = zero_stage >= 2 || (sync_each_batch && pp === 1);
  const reductions = isSynced ? microbatches : 1;
  const gathers = zero_stage === 3 ? 2 * microbatches : 1;
  const spread = zero_stage === 3 ? gathered : values;
  const messages = (dp - 1) * units;
  if (zero_stage === 0 && reductions === 1)
    return [
      {
        kind: 'all_reduce',
        group,
        what: 'gradients',
        bytes: 2 * once * values * gradient,
        messages: 2 * messages,
      },
    ];
  return [
    {
      kind: 'reduce_scatter',
      group,
      what: 'gradients',
      bytes: reductions * once * values * gradient,
      messages: reductions * messages,
    },
    {
      kind: 'all_gather',
      group,
      what: zero_stage === 0 ? 'gradients' : 'parameters',
      bytes: gathers * once * spread * (zero_stage === 0 ? gradient : weight),
      messages: gathers * messages,
    },
  ];
}

/** Bytes of an activation [micro-batch, block_size, n_embd], as it is sent. */
function activationBytes({ model, training, mesh }: Context): number {
  const { n_embd, block_size } = model;
  const isFloat16 = training.precision !== 'fp32';
  const perValue = isFloat16 ? bytesPerValue(n_embd, 'fp16') : 4;
  return microBatchSize(training, mesh) * block_size * n_embd * perValue;
}

/** All-reduces of an activation for each block: after each row-parallel matmul, and their mirror. */
const REDUCES_OF_BLOCK = 4;
/** Those of the forward pass are repeated if it is computed again. */
const REDUCES_OF_RECOMPUTATION = 2;

/**
 * One all-reduce of [tokens, n_embd] a half-block each way (Shoeybi et al. 2019); one after the
 * split embedding, one of the gradient before the split head, and the maximum, the sum and the
 * logit of the target of the parallel cross-entropy, in float32.
 */
function tensorTraffic(context: Context): Traffic[] {
  const { model, training, mesh, pp_rank } = context;
  const { tp } = mesh;
  const microbatches = training.gradient_accumulation_steps;
  if (tp === 1) return [];
  const { layers, has_embedding, has_head } = stageShare(model, mesh, pp_rank);
  const recomputed = training.recompute_granularity === 'full' ? REDUCES_OF_RECOMPUTATION : 0;
  const ofBlocks = layers * (REDUCES_OF_BLOCK + recomputed);
  const ends = (has_embedding ? 1 : 0) + (has_head ? 1 : 0);
  const reduces = microbatches * (ofBlocks + ends);
  const share = (2 * (tp - 1)) / tp;
  const tokens = microBatchSize(training, mesh) * model.block_size;
  const statistics = has_head ? 3 * microbatches : 0;
  return [
    {
      kind: 'all_reduce',
      group: 'tp',
      what: 'activations and their gradients',
      bytes: share * reduces * activationBytes(context),
      messages: 2 * (tp - 1) * reduces,
    },
    {
      kind: 'all_reduce',
      group: 'tp',
      what: 'statistics of the parallel cross-entropy',
      bytes: share * statistics * 4 * tokens,
      messages: 2 * (tp - 1) * statistics,
    },
  ];
}

/**
 * An activation to the next chunk and a gradient to the one before, for each micro-batch. A tied
 * embedding is on the first and on the last rank, which all-reduce its gradient.
 */
function pipelineTraffic(context: Context): Traffic[] {
  const { model, training, mesh, pp_rank } = context;
  const { pp } = mesh;
  const microbatches = training.gradient_accumulation_steps;
  if (pp === 1) return [];
  const chunks = chunksOf(mesh);
  const isLast = pp_rank === pp - 1;
  const isFirst = pp_rank === 0;
  const forward = microbatches * (chunks - (isLast ? 1 : 0));
  const backward = microbatches * (chunks - (isFirst ? 1 : 0));
  const sends = forward + backward;
  const traffic: Traffic[] = [
    {
      kind: 'send',
      group: 'pp',
      what: 'activations and their gradients',
      bytes: sends * activationBytes(context),
      messages: sends,
    },
  ];
  const isFrozen = training.adapters !== undefined;
  if (!model.tie_word_embeddings || isFrozen || !(isFirst || isLast)) return traffic;
  const { gradient } = bytesPerParameter(training.precision);
  traffic.push({
    kind: 'all_reduce',
    group: 'pp',
    what: 'gradient of the tied embedding',
    // Of two ranks, each sends the whole of it.
    bytes: gradient * vocabularyPart(model, mesh) * model.n_embd,
    messages: 2,
  });
  return traffic;
}

/** Bytes that a rank sends in a step, in all. */
export const bytesSent = (traffic: readonly Traffic[]): number =>
  traffic.reduce((sum, { bytes }) => sum + bytes, 0);
