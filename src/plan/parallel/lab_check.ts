/** What the ranks of a run cannot do, in one sentence each, before anything is built. */
import type { Mesh } from '../../common/index.ts';
import type { ResolvedModel } from '../../config/index.ts';
import { divisors, meshProblems, type StepBatch } from './check.ts';

export interface LabRun {
  model: ResolvedModel;
  /** Its micro-batches are those of a pipeline. */
  training: StepBatch;
  /** Name of the objective. */
  objective: string;
}

export interface LabProblem {
  /** The field to mark. */
  field: keyof Mesh | 'gradient_accumulation_steps';
  /** What is wrong and what to do, in one sentence. */
  message: string;
  /** The nearest values of `field` that would do. */
  nearest: readonly number[];
}

/** Objectives whose batches need no model, so that the layers may be on several ranks. */
const PIPELINE_OBJECTIVES = ['pretrain', 'sft', 'reward'];

/** All problems of a mesh, the most basic first; empty if its ranks can train this run. */
export function labProblems(mesh: Mesh, { model, training, objective }: LabRun): LabProblem[] {
  const { gradient_accumulation_steps: microbatches } = training;
  const rows = { batch_size: microbatches, gradient_accumulation_steps: 1 };
  const planned = meshProblems({ ...mesh, dp: 1, microbatches }, model, rows);
  return [
    ...planned.flatMap(({ field, ...problem }) =>
      field === 'microbatches' ? [] : [{ ...problem, field }],
    ),
    ...rowProblems(mesh, training),
    ...(mesh.pp > 1 ? pipelineProblems(mesh, { model, training, objective }) : []),
  ];
}

function rowProblems({ dp }: Mesh, { batch_size }: StepBatch): LabProblem[] {
  if (batch_size % dp === 0) return [];
  const smaller = divisors(batch_size).findLast((size) => size < dp) ?? 1;
  const message =
    `The ${batch_size} rows of a micro-batch cannot be split evenly among ${dp} data-parallel ` +
    `ranks; set dp to ${smaller}, or the batch size to a multiple of ${dp}.`;
  return [{ field: 'dp', message, nearest: [smaller] }];
}

function pipelineProblems(mesh: Mesh, { training, objective }: LabRun): LabProblem[] {
  const { pp, schedule, zero_stage } = mesh;
  const steps = training.gradient_accumulation_steps;
  const problems: LabProblem[] = [];
  if (schedule === 'interleaved' && steps % pp !== 0) {
    const less = Math.floor(steps / pp) * pp;
    const nearest = [less, less + pp].filter((value) => value > 0);
    const message =
      `The interleaved schedule needs a multiple of ${pp} micro-batches, one for each stage, not ` +
      `${steps}; set gradient_accumulation_steps to ${nearest.join(' or ')}.`;
    problems.push({ field: 'gradient_accumulation_steps', message, nearest });
  }
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
