/** The plan of one mesh: memory, traffic and time of its ranks. */
import type { ResolvedModel } from '../../config/index.ts';
import type { StageConfig } from '../../config/stage/index.ts';
import type { Mesh } from './mesh.ts';
import type { Placement } from './rank_activations.ts';
import { rankMemory, type RankMemory } from './rank_memory.ts';
import { distinctRanks } from './rank_parameters.ts';
import { type StageModel, stageRankMemory } from './stage_rank_memory.ts';
import { bubbleFraction, rankFlops, type Speeds, type StepTime, stepTime } from './step_time.ts';
import { bytesSent, rankTraffic, type Traffic } from './traffic.ts';
import type { ParallelTraining } from './training.ts';

/** What is planned: a model, and how it is trained. */
export interface Job {
  model: ResolvedModel;
  training: ParallelTraining;
  /**
   * A stage after pretraining; none by default. Memory is planned for the stage, but traffic and time
   * are those of pretraining its model.
   */
  stage?: StageConfig | null | undefined;
}

/** The plan of one rank of a pipeline stage, which stands for all ranks of that stage. */
export interface RankPlan {
  pp_rank: number;
  memory: RankMemory;
  /** Bytes of the weights by the models of a stage; null for pretraining. */
  models: Record<StageModel, number> | null;
  traffic: Traffic[];
  /** In a step. */
  bytes_sent: number;
  /** FLOPs in a step, with recomputation. */
  flops: number;
}

export interface MeshPlan {
  mesh: Mesh;
  /** By stage of the pipeline. */
  ranks: RankPlan[];
  /** Memory of the rank that needs the most. */
  peak_bytes: number;
  /** Bytes sent in a step by the rank that sends the most. */
  bytes_sent: number;
  /** Share of the step that is bubble. */
  bubble: number;
  time: StepTime;
}

/** Plans a mesh that has no problems (`check.ts`). */
export function planMesh(job: Job, mesh: Mesh, speeds: Speeds): MeshPlan {
  const { model } = job;
  const training = trainingWithAdapters(job);
  const ranks = Array.from({ length: mesh.pp }, (_, pp_rank): RankPlan => {
    const placement = { mesh, pp_rank };
    const traffic = rankTraffic(model, training, placement);
    return {
      pp_rank,
      ...memoryOfRank(job, placement),
      traffic,
      bytes_sent: bytesSent(traffic),
      flops: rankFlops(model, training, placement),
    };
  });
  return {
    mesh,
    ranks,
    peak_bytes: Math.max(...ranks.map(({ memory }) => memory.total)),
    bytes_sent: Math.max(...ranks.map(({ bytes_sent }) => bytes_sent)),
    bubble: bubbleFraction(mesh, training.gradient_accumulation_steps),
    time: stepTime(model, training, mesh, speeds),
  };
}

/** `MeshPlan.peak_bytes` alone, which takes less work than the whole plan. */
export const peakBytes = (job: Job, mesh: Mesh): number =>
  Math.max(
    ...distinctRanks(mesh).map((pp_rank) => memoryOfRank(job, { mesh, pp_rank }).memory.total),
  );

/** With the adapters of a stage, on which traffic and time depend. */
function trainingWithAdapters({ training, stage }: Job): ParallelTraining {
  return stage?.peft.peft_type === 'lora' ? { ...training, adapters: stage.peft } : training;
}

/** Assumes that the rows of a stage are as long as the context. */
function memoryOfRank(
  { model, training, stage }: Job,
  placement: Placement,
): Pick<RankPlan, 'memory' | 'models'> {
  if (!stage) return { memory: rankMemory(model, training, placement), models: null };
  const run = { model, training, stage, row_length: model.block_size };
  const { models, ...memory } = stageRankMemory(run, placement);
  return { memory, models };
}
