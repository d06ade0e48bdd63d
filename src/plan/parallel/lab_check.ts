/** What the ranks of the lab cannot do, in one sentence each, before anything is built. */
import type { Mesh } from '../../common/index.ts';
import type { ResolvedModel } from '../../config/index.ts';
import { type MeshProblem, meshProblems } from './check.ts';
import type { StepBatch } from './training.ts';

export interface LabRun {
  model: ResolvedModel;
  /** Its micro-batches are those of a pipeline. */
  training: StepBatch;
  /** Name of the objective. */
  objective: string;
}

/** Objectives whose batches need no model, so that the layers may be on several ranks. */
const PIPELINE_OBJECTIVES = ['pretrain', 'sft', 'reward'];

/** All problems of a mesh, the most basic first; empty if its ranks can train this run. */
export function labProblems(mesh: Mesh, { model, training, objective }: LabRun): MeshProblem[] {
  return [
    ...meshProblems(mesh, model, training),
    ...(mesh.pp > 1 ? pipelineProblems(mesh, objective) : []),
  ];
}

function pipelineProblems({ zero_stage }: Mesh, objective: string): MeshProblem[] {
  const problems: MeshProblem[] = [];
  if (zero_stage > 1) {
    const message =
      `ZeRO-${zero_stage} sends gradients once for every micro-batch, which a pipeline is full of, ` +
      'so it is not combined with pp, as in DeepSpeed; set zero_stage to 1.';
    problems.push({ field: 'zero_stage', message, nearest: [1] });
  }
  if (!PIPELINE_OBJECTIVES.includes(objective)) {
    const message =
      `The objective ${objective} samples or scores with the whole model while it trains, and a ` +
      'pipeline has its layers on several ranks; set pp to 1.';
    problems.push({ field: 'pp', message, nearest: [1] });
  }
  return problems;
}
