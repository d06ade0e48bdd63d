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
  /** A stage after pretraining, whose memory is planned; traffic and time are of training its model. */
  stage?: StageConfig | null | undefined;
}

/** One rank of each stage of the pipeline; the ranks of a stage are alike. */
export interface RankPlan {
  pp_rank: number;
  memory: RankMemory;
  /** Bytes of the weights by the models of a stage; null for pretraining. */
  models: Record<StageModel, number> | null;
  traffic: Traffic[];
  bytes_sent: number;
  /** In a step, with recomputation. */
  flops: number;
}

export interface MeshPlan {
  mesh: Mesh;
  ranks: RankPlan[];
  /** Of the rank that needs most. */
  peak_bytes: number;
  /** Sent in a step by the rank that sends most. */
  bytes_sent: number;
  /** Share of the step that is bubble. */
  bubble: number;
  time: StepTime;
}

/** Plans a mesh that has no problems (`check.ts`). */
export function planMesh(job: Job, mesh: Mesh, speeds: Speeds): MeshPlan {
  const { model, training } = job;
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

/** Bytes of the rank that needs most; less work than the whole plan. */
export const peakBytes = (job: Job, mesh: Mesh): number =>
  Math.max(
    ...distinctRanks(mesh).map((pp_rank) => memoryOfRank(job, { mesh, pp_rank }).memory.total),
  );

/** Rows of a stage are planned as long as the context. */
function memoryOfRank(
  { model, training, stage }: Job,
  placement: Placement,
): Pick<RankPlan, 'memory' | 'models'> {
  if (!stage) return { memory: rankMemory(model, training, placement), models: null };
  const run = { model, training, stage, row_length: model.block_size };
  const { models, ...memory } = stageRankMemory(run, placement);
  return { memory, models };
}
