/** The run of the lab: that of the ranks, or what the next ones would train. */
import { useMemo } from 'react';
import { type ResolvedModel, resolveModel, type RunConfig } from '../../config/index.ts';
import type { StageConfig, StageProblem } from '../../config/stage/index.ts';
import { guessVocab } from '../../plan/index.ts';
import { guessStageVocab } from '../../plan/stage.ts';
import {
  type LabProblem,
  type Mesh,
  type ParallelTraining,
  trainingOf,
  worldSize,
} from '../../plan/parallel/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { hasRanks, type LabState } from '../../store/lab/index.ts';
import { type NewStageState, problemsOf } from '../../store/stages/new_stage.ts';
import { asksForFloat16 } from '../../run/frozen_dtype.ts';
import { useLibrary, useRun } from '../context.tsx';
import { useSettledRun } from '../recipe/useSettledRun.ts';
import { useNewStage } from '../stages/useNewStage.ts';
import { NEW_STAGE, plainMesh, useChoices } from './choices.ts';
import { useLab } from './lab.ts';
import { type PlannedRank, plannedRanks } from './planned_ranks.ts';
import { labWarnings, pageProblems } from './problems.ts';

/** A run on a mesh, by arithmetic. */
export interface LabRun {
  mesh: Mesh;
  config: RunConfig;
  model: ResolvedModel;
  training: ParallelTraining;
  /** Null for pretraining. */
  stage: StageConfig | null;
  problems: readonly LabProblem[];
  /** By rank; empty if the mesh has problems. */
  planned: readonly PlannedRank[];
  /** Tokens of a row. */
  row_length: number;
}

interface Trained {
  config: RunConfig;
  model: ResolvedModel;
  /** Tokens of a row; the context by default. */
  row_length?: number;
  /** See `PlannedRun`. */
  held_out_prompts?: number | undefined;
}

function labRun(
  mesh: Mesh,
  { config, model, row_length = model.block_size, held_out_prompts }: Trained,
  stage: StageConfig | null,
): LabRun {
  const training = trainingOf(config);
  const { peft = null } = stage ?? {};
  const problems = pageProblems(mesh, { model, training, peft });
  const run = { mesh, model, training, stage, row_length };
  const planned = problems.length > 0 ? [] : plannedRanks({ ...run, held_out_prompts });
  return { ...run, config, problems, planned };
}

/** Saved runs that ranks can continue: those that were not trained to their end. */
export function useContinuable(): RunRecord[] {
  const runs = useLibrary((state) => state.runs);
  return useMemo(
    () =>
      runs.filter(({ resumable, step, config }) => resumable && step < config.training.max_iters),
    [runs],
  );
}

/** The stage of the form of new stages, and the run that it starts from. */
export interface NextStage {
  form: NewStageState;
  config: RunConfig;
  parent: RunRecord;
  problems: readonly StageProblem[];
}

/** Null while the form has no parent. */
export function useNextStage(): NextStage | null {
  const form = useNewStage((state) => state);
  const runs = useLibrary((state) => state.runs);
  return useMemo(() => {
    const parent = runs.find(({ run }) => run === form.parent);
    const { config } = form;
    return parent && config ? { form, config, parent, problems: problemsOf(form, runs) } : null;
  }, [form, runs]);
}

/** What the next ranks would train: a stage, a saved run that they continue, or the recipe. */
export type NextRun = LabRun & { from: RunRecord | null; next_stage: NextStage | null };

export function useNextRun(): NextRun {
  const choice = useChoices((state) => state.mesh);
  const chosen = useChoices((state) => state.from);
  const settled = useSettledRun();
  const from = useContinuable().find(({ run }) => run === chosen) ?? null;
  const stage = useNextStage();
  return useMemo(() => {
    const mesh = plainMesh(choice);
    if (chosen === NEW_STAGE && stage) return stageRun(mesh, stage);
    if (from) return continuedRun(mesh, from);
    return { ...labRun(mesh, settled, null), from, next_stage: null };
  }, [choice, chosen, settled, from, stage]);
}

/** A saved run that ranks of this mesh continue. */
export function continuedRun(mesh: Mesh, from: RunRecord): NextRun {
  const { config } = from;
  const model = resolveModel(config.model, guessVocab(config));
  const run = labRun(mesh, { config, model }, from.stage ?? null);
  return { ...run, from, next_stage: null };
}

function stageRun(mesh: Mesh, next_stage: NextStage): NextRun {
  const { config, form } = next_stage;
  const { stage } = form;
  const model = resolveModel(config.model, guessStageVocab(config));
  const run = labRun(mesh, { config, model }, stage);
  return { ...run, from: null, next_stage };
}

/** The run that is shown: that of the ranks, until a mesh is chosen that they do not have. */
export type ShownRun = LabRun & { isMeasured: boolean };

export function useShownRun(next: LabRun): ShownRun {
  const mesh = useLab((state) => state.mesh);
  const config = useLab((state) => state.config);
  const stage = useLab((state) => state.stage);
  const known = useLab((state) => state.vocab_size);
  const row_length = useLab((state) => state.row_length);
  const held_out_prompts = useLab((state) => state.held_out_prompts);
  const isMeasured = useLab((state) => showsRanks(state, next.mesh));
  const { model } = useSettledRun();
  return useMemo(() => {
    if (!isMeasured || !config) return { ...next, isMeasured: false };
    const isRecipe = config.tokenizer === next.config.tokenizer;
    const vocab_size = known || (isRecipe ? model.vocab_size : guessVocab(config));
    const own = resolveModel(config.model, vocab_size);
    const rows = { row_length: row_length || own.block_size, held_out_prompts };
    const trained = { config, model: own, ...rows };
    return { ...labRun(mesh, trained, stage), isMeasured };
  }, [
    isMeasured,
    config,
    stage,
    known,
    row_length,
    held_out_prompts,
    mesh,
    next,
    model.vocab_size,
  ]);
}

const showsRanks = (state: LabState, chosen: Mesh): boolean =>
  hasRanks(state) ||
  (state.phase !== 'empty' && JSON.stringify(state.mesh) === JSON.stringify(chosen));

/** Sentences about what this device makes slow, or may not hold. */
export function useWarnings({ mesh, planned, config, stage }: LabRun): string[] {
  const device = useRun((state) => state.device);
  const onGpu = device?.backend === 'webgpu';
  const cores = onGpu ? null : navigator.hardwareConcurrency || null;
  return labWarnings({
    asks_for_float16: config.training.mixed_precision === 'fp16',
    asks_for_float16_weights: stage !== null && asksForFloat16(stage),
    ranks: worldSize(mesh),
    cores,
    bytes_needed: planned.reduce((sum, { memory }) => sum + memory.total, 0),
    bytes_here: device?.memory_bytes ?? null,
  });
}
