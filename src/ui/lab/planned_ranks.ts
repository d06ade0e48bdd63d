/** What the ranks of a run hold, by arithmetic. Pure functions. */
import type { ResolvedModel } from '../../config/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import {
  type Mesh,
  type ParallelTraining,
  type RankMemory,
  rankMemory,
  type StageModel,
  stageRankMemory,
  worldSize,
} from '../../plan/parallel/index.ts';
import { placeOf } from '../../common/mesh.ts';

export interface PlannedRank {
  memory: RankMemory;
  /** Bytes of the weights by the models of a stage; null for pretraining. */
  models: Record<StageModel, number> | null;
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

export function plannedRanks(run: PlannedRun): PlannedRank[] {
  const { mesh, model, training, stage } = run;
  return Array.from({ length: worldSize(mesh) }, (_, rank) => {
    const placement = { mesh, pp_rank: placeOf(mesh, rank).pp };
    if (!stage) return { memory: rankMemory(model, training, placement), models: null };
    const { models, ...memory } = stageRankMemory({ ...run, stage }, placement);
    return { memory, models };
  });
}
