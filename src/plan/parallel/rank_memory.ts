/** Bytes of one rank by kind, under data, tensor and pipeline parallelism and ZeRO. */
import type { ResolvedModel } from '../../config/index.ts';
import { inputValues } from '../activations.ts';
import { momentsOfKind } from '../memory.ts';
import type { Mesh } from './mesh.ts';
import { ownedMatrices } from './muon_memory.ts';
import { rankActivations, type Placement } from './rank_activations.ts';
import { type RankParameter, rankParameters, unitValues } from './rank_parameters.ts';
import { gatheredBytes, gatheredWithAdapters } from './gathered_memory.ts';
import { adaptersOfRank } from './stage_parameters.ts';
import {
  type BytesPerParameter,
  bytesPerParameter,
  microBatchSize,
  type ParallelTraining,
} from './training.ts';

/** Kinds of memory, in the order in which the page stacks them. */
export const MEMORY_KINDS = [
  'weights',
  'gradients',
  'optimizer',
  'activations',
  'logits',
  'temporaries',
  'rollouts',
  'inputs',
  'fragmentation',
] as const;
export type MemoryKind = (typeof MEMORY_KINDS)[number];

/**
 * Bytes by kind. `optimizer` includes float32 master weights. `temporaries` exist only at the peak of the
 * backward pass: gradients of activations and the block that is recomputed, as far as they do not fit
 * into the memory of the logits, and under ZeRO the gathered weights and whole gradients of the units in
 * use. `rollouts` is 0 unless answers are sampled (`stage_rank_memory.ts`).
 */
export type RankMemory = Record<MemoryKind, number> & { total: number };

/** Tensors in a flat buffer start at multiples of this many bytes. */
const ALIGNMENT = 256;

/** FSDP units whose gathered weights exist at once: one that computes, and one that is prefetched. */
const GATHERED_UNITS = 2;

/** Peak memory of a rank. The mesh must have no problems (`check.ts`). */
export function rankMemory(
  model: ResolvedModel,
  training: ParallelTraining,
  placement: Placement,
): RankMemory {
  const { mesh, pp_rank } = placement;
  const parameters = rankParameters(model, mesh, pp_rank);
  const stores = ownStores(model, parameters, { training, placement });
  const peak = rankActivations(model, training, placement);
  const tokens = microBatchSize(training, mesh) * model.block_size;
  const temporaries =
    peak.temporaries + unitBytes(model, parameters, { training, placement, logits: peak.logits });
  const fragmentation = training.precision === 'mixed' ? training.fragmentation : 0;
  const memory = {
    weights: stores.weights,
    gradients: stores.gradients,
    optimizer: stores.optimizer,
    activations: peak.activations,
    logits: peak.logits,
    temporaries,
    rollouts: 0,
    inputs: 4 * inputValues(model, tokens),
    fragmentation: stores.alignment + fragmentation * (peak.activations + temporaries),
  };
  return { ...memory, total: Object.values(memory).reduce((a, b) => a + b, 0) };
}

export interface StoreBytes {
  weights: number;
  gradients: number;
  optimizer: number;
  /** Padding between tensors in the flat buffers of all of these. */
  alignment: number;
}

/** Weights, gradients and moments. With adapters, the model's own weights are frozen. */
function ownStores(
  model: ResolvedModel,
  parameters: readonly RankParameter[],
  { training, placement }: { training: ParallelTraining; placement: Placement },
): StoreBytes {
  const { adapters } = training;
  if (!adapters) return storeBytes(parameters, training, placement);
  const trained = storeBytes(adaptersOfRank(model, adapters, placement), training, placement);
  const frozen = frozenBytes(parameters, training, placement.mesh);
  return {
    ...trained,
    weights: trained.weights + frozen.weights,
    alignment: trained.alignment + frozen.alignment,
  };
}

/** Bytes of weights that do not train; ZeRO-3 shards them too. */
export function frozenBytes(
  parameters: readonly RankParameter[],
  { precision }: Pick<ParallelTraining, 'precision'>,
  { dp, zero_stage }: Mesh,
): Pick<StoreBytes, 'weights' | 'alignment'> {
  const { weight } = bytesPerParameter(precision);
  const ranks = zero_stage === 3 ? dp : 1;
  let weights = 0;
  let alignment = 0;
  for (const { values, copies } of parameters) {
    const shard = (values * weight) / ranks;
    weights += copies * shard;
    alignment += copies * (Math.ceil(shard / ALIGNMENT) * ALIGNMENT - shard);
  }
  return { weights, alignment };
}

/**
 * Bytes of parameters that train. ZeRO-1 shards the optimizer's state over the N data-parallel ranks,
 * ZeRO-2 also gradients, and ZeRO-3 also weights: of the 16 bytes a parameter of mixed-precision AdamW
 * these leave 4 + 12/N, 2 + 14/N and 16/N on each rank.
 */
export function storeBytes(
  parameters: readonly RankParameter[],
  training: ParallelTraining,
  { mesh, dp_rank }: Pick<Placement, 'mesh' | 'dp_rank'>,
): StoreBytes {
  const { dp, zero_stage } = mesh;
  const perParameter = bytesPerParameter(training.precision);
  const bytes = { weights: 0, gradients: 0, optimizer: 0, alignment: 0 };
  const isMuon = training.optimizer === 'muon' && zero_stage > 0;
  const { share } = ownedMatrices(parameters, mesh, dp_rank);
  for (const { kind, values, copies } of parameters) {
    const moments = momentsOfKind(kind, training);
    const staysWhole = isMuon && kind === 'matrix';
    const shareOfRank = staysWhole ? share : 1 / dp;
    const { weight, gradient, master, moment } = perParameter;
    const add = (
      store: 'weights' | 'gradients' | 'optimizer',
      size: number,
      shardedFrom: number,
    ): void => {
      const shard = values * size * (zero_stage >= shardedFrom ? shareOfRank : 1);
      bytes[store] += copies * shard;
      bytes.alignment += copies * (Math.ceil(shard / ALIGNMENT) * ALIGNMENT - shard);
    };
    add('weights', weight, 3);
    add('gradients', gradient, 2);
    if (master > 0) add('optimizer', master, 1);
    for (let index = 0; index < moments; index++) add('optimizer', moment, 1);
  }
  return bytes;
}

interface Run {
  training: ParallelTraining;
  placement: Placement;
  logits: number;
}

/**
 * Bytes of weights that ZeRO-3 has gathered, and of whole gradients that are not reduced yet. FSDP gathers
 * and reduces units, this page each parameter by itself.
 */
function unitBytes(
  model: ResolvedModel,
  parameters: readonly RankParameter[],
  { training, placement, logits }: Run,
): number {
  const { mesh } = placement;
  const { dp, zero_stage } = mesh;
  const { adapters } = training;
  if (dp === 1 || zero_stage < 2) return 0;
  const { weight, gradient }: BytesPerParameter = bytesPerParameter(training.precision);
  if (training.precision !== 'mixed') {
    const recomputes = training.recompute_granularity === 'full';
    const tokens = microBatchSize(training, mesh) * model.block_size;
    const rank = { model, mesh, recomputes, tokens, logits };
    if (!adapters) return gatheredBytes(parameters, rank);
    return gatheredWithAdapters(parameters, adaptersOfRank(model, adapters, placement), rank);
  }
  const { block, embedding, head } = unitValues(parameters);
  const blocks = parameters.find(({ unit }) => unit === 'block')?.copies ?? 0;
  const units = [embedding, head, ...Array<number>(Math.min(blocks, GATHERED_UNITS)).fill(block)];
  const largest = units.sort((a, b) => b - a).slice(0, GATHERED_UNITS);
  const wholeGradients = adapters ? 0 : gradient * (largest[0] ?? 0);
  if (zero_stage < 3) return wholeGradients;
  return wholeGradients + weight * largest.reduce((a, b) => a + b, 0);
}
