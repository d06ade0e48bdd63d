/** What the ranks of a run hold and send, by arithmetic. Pure functions. */
import type { ResolvedModel } from '../../config/index.ts';
import { type StageConfig, usesPairs } from '../../config/stage/index.ts';
import {
  type Mesh,
  type ParallelTraining,
  type RankMemory,
  rankMemory,
  rankTraffic,
  type Traffic,
  worldSize,
} from '../../plan/parallel/index.ts';
import { placeOf } from '../../common/mesh.ts';

export interface PlannedRank {
  memory: RankMemory;
  traffic: readonly Traffic[];
}

export interface PlannedRun {
  mesh: Mesh;
  model: ResolvedModel;
  training: ParallelTraining;
  /** Null for pretraining. */
  stage: StageConfig | null;
  /** Tokens of a row, which in a stage may be fewer than the context. */
  row_length: number;
}

/** Why a run is not planned, in a sentence; '' if it is. */
export function notPlanned(stage: StageConfig | null): string {
  if (stage?.peft.peft_type === 'lora')
    return 'Not planned: the formulas are those of training all weights, and adapters are a few.';
  if (stage?.objective === 'ppo' || stage?.objective === 'grpo')
    return 'Not planned: the formulas leave out sampling, and the other models that it needs.';
  return '';
}

export function plannedRanks({
  mesh,
  model,
  training,
  stage,
  row_length,
}: PlannedRun): PlannedRank[] {
  // Two rows a pair.
  const rows = stage && usesPairs(stage) ? 2 : 1;
  const computed = { ...training, batch_size: rows * training.batch_size };
  const short = { ...model, block_size: row_length };
  return Array.from({ length: worldSize(mesh) }, (_, rank) => {
    const placement = { mesh, pp_rank: placeOf(mesh, rank).pp };
    const { weights, gradients, optimizer } = rankMemory(model, computed, placement);
    const reference = stage?.objective === 'dpo' ? referenceBytes(model, computed, placement) : 0;
    const { total: _total, ...passes } = rankMemory(short, computed, placement);
    const kinds = { ...passes, weights: weights + reference, gradients, optimizer };
    const total = Object.values(kinds).reduce((sum, one) => sum + one, 0);
    const ofWeights = rankTraffic(model, computed, placement).filter(({ group }) => group === 'dp');
    const ofRows = rankTraffic(short, computed, placement).filter(({ group }) => group !== 'dp');
    return { memory: { ...kinds, total }, traffic: [...ofWeights, ...ofRows] };
  });
}

/** A frozen copy of the weights, which no stage of ZeRO shares out. */
function referenceBytes(
  model: ResolvedModel,
  training: ParallelTraining,
  { mesh, pp_rank }: { mesh: Mesh; pp_rank: number },
): number {
  return rankMemory(model, training, { mesh: { ...mesh, zero_stage: 0 }, pp_rank }).weights;
}
