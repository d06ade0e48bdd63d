/** Why the ranks of this page cannot train a run, checked before anything is built. */
import type { Mesh } from '../../common/index.ts';
import type { ResolvedModel, TrainingConfig } from '../../config/index.ts';
import type { PeftConfig } from '../../config/stage/index.ts';
import { type MeshField, type MeshProblem, meshProblems } from './check.ts';
import type { StepBatch } from './training.ts';

export interface LabRun {
  model: ResolvedModel;
  /** `gradient_accumulation_steps` is the number of micro-batches of a pipeline. */
  training: StepBatch & Partial<Pick<TrainingConfig, 'optimizer'>>;
  /** The adapters of a stage; none by default. */
  peft?: Pick<PeftConfig, 'peft_type' | 'lora_dropout'> | null;
}

export interface LabProblem extends Omit<MeshProblem, 'field'> {
  /** The field to mark; null for the mesh as a whole. */
  field: MeshField | null;
}

/** All problems of a mesh, the most basic first; none if its ranks can train this run. */
export function labProblems(mesh: Mesh, run: LabRun): LabProblem[] {
  const problems: LabProblem[] = meshProblems(mesh, run.model, run.training);
  if (mesh.tp > 1) problems.push(...optimizerProblems(run), ...adapterProblems(run));
  if (mesh.pp > 1) problems.push(...pipelineProblems(mesh));
  return problems;
}

/** Shown if a run with Muon is to use tensor parallelism. */
export const MUON_NEEDS_WHOLE =
  'Muon orthogonalizes whole matrices, which tensor parallelism cuts: choose another optimizer, or tp 1.';

function optimizerProblems({ training }: LabRun): LabProblem[] {
  if (training.optimizer !== 'muon') return [];
  return [{ field: 'tp', message: MUON_NEEDS_WHOLE, nearest: [1] }];
}

function adapterProblems({ peft }: LabRun): LabProblem[] {
  if (peft?.peft_type !== 'lora' || peft.lora_dropout === 0) return [];
  const message =
    'tp cuts the inputs of some layers, and lora_dropout draws for whole inputs; set tp to 1, or ' +
    'lora_dropout to 0.';
  return [{ field: 'tp', message, nearest: [1] }];
}

function pipelineProblems({ zero_stage }: Mesh): LabProblem[] {
  if (zero_stage <= 1) return [];
  const message =
    `ZeRO-${zero_stage} sends gradients once for every micro-batch, which a pipeline is full of, ` +
    'so it is not combined with pp, as in DeepSpeed; set zero_stage to 1.';
  return [{ field: 'zero_stage', message, nearest: [1] }];
}
