/** Plans what the ranks of a run hold and send. Pure functions. */
import type { ResolvedModel } from '../../config/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import {
  type Mesh,
  type ParallelTraining,
  type RankMemory,
  rankMemory,
  rankTraffic,
  type StageModel,
  stageRankMemory,
  type Traffic,
  worldSize,
} from '../../plan/parallel/index.ts';
import { rowsPerExample } from '../../plan/stage_memory.ts';
import { placeOf } from '../../common/mesh.ts';

export interface PlannedRank {
  memory: RankMemory;
  /** Bytes of the weights by the models of a stage; null for pretraining. */
  models: Record<StageModel, number> | null;
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
  /** Held-out prompts that evaluations answer; undefined as long as it is not known. */
  held_out_prompts?: number | undefined;
}

/** Why what a run sends is not planned, in a sentence; '' if it is. */
export function trafficNotPlanned(stage: StageConfig | null): string {
  if (stage?.peft.peft_type === 'lora')
    return 'Not planned: the formulas are those of training all weights, and adapters are a few.';
  if (stage?.objective === 'ppo' || stage?.objective === 'grpo')
    return 'Not planned: the formulas leave out sampling, and scoring of what was sampled.';
  return '';
}

export function plannedRanks(run: PlannedRun): PlannedRank[] {
  const { mesh, model, training, stage, row_length } = run;
  const rows = stage ? rowsPerExample(stage) : 1;
  const computed = { ...training, batch_size: rows * training.batch_size };
  const short = { ...model, block_size: row_length };
  return Array.from({ length: worldSize(mesh) }, (_, rank) => {
    const placement = { mesh, pp_rank: placeOf(mesh, rank).pp };
    const ofWeights = rankTraffic(model, computed, placement).filter(({ group }) => group === 'dp');
    const ofRows = rankTraffic(short, computed, placement).filter(({ group }) => group !== 'dp');
    const traffic = [...ofWeights, ...ofRows];
    if (!stage) return { memory: rankMemory(model, training, placement), models: null, traffic };
    const { models, ...memory } = stageRankMemory({ ...run, stage }, placement);
    return { memory, models, traffic };
  });
}
