/** What the ranks of the lab cannot do, in one sentence each, before anything is built. */
import type { Mesh } from '../../common/index.ts';
import type { ResolvedModel } from '../../config/index.ts';
import type { PeftConfig } from '../../config/stage/index.ts';
import { type MeshField, type MeshProblem, meshProblems } from './check.ts';
import type { StepBatch } from './training.ts';

export interface LabRun {
  model: ResolvedModel;
  /** Its micro-batches are those of a pipeline. */
  training: StepBatch;
  /** Name of the objective. */
  objective: string;
  /** Of a stage: whether adapters train instead of the model's weights. */
  peft?: Pick<PeftConfig, 'peft_type' | 'lora_dropout'> | null;
}

export interface LabProblem extends Omit<MeshProblem, 'field'> {
  /** What the sentence stands beside: a field of the mesh, the objective, or null for the whole mesh. */
  field: MeshField | 'objective' | null;
}

/** Objectives that several ranks train. */
const RANK_OBJECTIVES = ['pretrain', 'sft', 'reward', 'dpo', 'grpo', 'ppo'];

/** Those of them whose batches need no more of the model than log-probabilities. */
const PIPELINE_OBJECTIVES = ['pretrain', 'sft', 'reward', 'dpo', 'grpo'];

/** All problems of a mesh, the most basic first; empty if its ranks can train this run. */
export function labProblems(mesh: Mesh, run: LabRun): LabProblem[] {
  return [
    ...objectiveProblems(run),
    ...meshProblems(mesh, cutModel(run), run.training),
    ...(mesh.tp > 1 ? adapterProblems(run) : []),
    ...(mesh.pp > 1 ? pipelineProblems(mesh, run) : []),
  ];
}

/**
 * Nobody chooses the vocabulary of a stage, which is the parent's and the tokens that it adds. Ranks
 * of tensor parallelism may hold unequal parts of it, so it is no problem there: 0 is divided by all.
 */
const cutModel = ({ model, objective }: LabRun): ResolvedModel =>
  objective === 'pretrain' ? model : { ...model, vocab_size: 0 };

function objectiveProblems({ objective }: LabRun): LabProblem[] {
  if (RANK_OBJECTIVES.includes(objective)) return [];
  const message =
    `The objective ${objective} samples answers while it trains, which ranks cannot do yet; ` +
    'train it on one rank, as a stage.';
  return [{ field: 'objective', message, nearest: [] }];
}

function adapterProblems({ peft }: LabRun): LabProblem[] {
  if (peft?.peft_type !== 'lora' || peft.lora_dropout === 0) return [];
  const message =
    'tp cuts the inputs of some layers, and lora_dropout draws for whole inputs; set tp to 1, or ' +
    'lora_dropout to 0.';
  return [{ field: 'tp', message, nearest: [1] }];
}

function pipelineProblems({ zero_stage }: Mesh, { objective }: LabRun): LabProblem[] {
  const problems: LabProblem[] = [];
  if (zero_stage > 1) {
    const message =
      `ZeRO-${zero_stage} sends gradients once for every micro-batch, which a pipeline is full of, ` +
      'so it is not combined with pp, as in DeepSpeed; set zero_stage to 1.';
    problems.push({ field: 'zero_stage', message, nearest: [1] });
  }
  if (!PIPELINE_OBJECTIVES.includes(objective)) {
    const message =
      `The objective ${objective} samples with the whole model while it trains, and a pipeline has ` +
      'its layers on several ranks; set pp to 1.';
    problems.push({ field: 'pp', message, nearest: [1] });
  }
  return problems;
}
