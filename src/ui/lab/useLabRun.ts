/** The run of the lab: that of the ranks, or what the next ones would train. */
import { useMemo } from 'react';
import { type ResolvedModel, resolveModel, type RunConfig } from '../../config/index.ts';
import { guessVocab } from '../../plan/index.ts';
import {
  type Mesh,
  type ParallelTraining,
  type RankMemory,
  rankMemory,
  rankTraffic,
  type Traffic,
  trainingOf,
  worldSize,
} from '../../plan/parallel/index.ts';
import type { RunRecord } from '../../store/index.ts';
import { hasRanks, type LabState } from '../../store/lab/index.ts';
import { useLibrary, useRun } from '../context.tsx';
import { useSettledRun } from '../recipe/useSettledRun.ts';
import { placeOf } from '../../common/mesh.ts';
import { plainMesh, useChoices } from './choices.ts';
import { useLab } from './lab.ts';
import { type LabProblem, labWarnings, pageProblems } from './problems.ts';

/** A run on a mesh, by arithmetic. */
export interface LabRun {
  mesh: Mesh;
  config: RunConfig;
  model: ResolvedModel;
  training: ParallelTraining;
  problems: readonly LabProblem[];
  /** By rank; empty if the mesh has problems. */
  planned: readonly { memory: RankMemory; traffic: readonly Traffic[] }[];
}

function labRun(mesh: Mesh, config: RunConfig, model: ResolvedModel): LabRun {
  const training = trainingOf(config);
  const problems = pageProblems(mesh, { model, training, objective: 'pretrain' });
  const ranks = problems.length > 0 ? 0 : worldSize(mesh);
  const planned = Array.from({ length: ranks }, (_, rank) => {
    const placement = { mesh, pp_rank: placeOf(mesh, rank).pp };
    return {
      memory: rankMemory(model, training, placement),
      traffic: rankTraffic(model, training, placement),
    };
  });
  return { mesh, config, model, training, problems, planned };
}

/** Saved runs that ranks can continue: those that were not trained to their end, and no stages. */
export function useContinuable(): RunRecord[] {
  const runs = useLibrary((state) => state.runs);
  return useMemo(
    () =>
      runs.filter(
        ({ resumable, stage, step, config }) =>
          resumable && !stage && step < config.training.max_iters,
      ),
    [runs],
  );
}

/** What the next ranks would train. */
export type NextRun = LabRun & { from: RunRecord | null };

export function useNextRun(): NextRun {
  const choice = useChoices((state) => state.mesh);
  const chosen = useChoices((state) => state.from);
  const settled = useSettledRun();
  const from = useContinuable().find(({ run }) => run === chosen) ?? null;
  return useMemo(() => {
    const { config, model } = settled;
    const mesh = plainMesh(choice);
    if (!from) return { ...labRun(mesh, config, model), from };
    const saved = resolveModel(from.config.model, guessVocab(from.config));
    return { ...labRun(mesh, from.config, saved), from };
  }, [choice, settled, from]);
}

/** The run that is shown: that of the ranks, until a mesh is chosen that they do not have. */
export type ShownRun = LabRun & { isMeasured: boolean };

export function useShownRun(next: LabRun): ShownRun {
  const mesh = useLab((state) => state.mesh);
  const config = useLab((state) => state.config);
  const isMeasured = useLab((state) => showsRanks(state, next.mesh));
  const { model } = useSettledRun();
  return useMemo(() => {
    if (!isMeasured || !config) return { ...next, isMeasured: false };
    const isRecipe = config.tokenizer === next.config.tokenizer;
    const own = isRecipe
      ? resolveModel(config.model, model.vocab_size)
      : resolveModel(config.model, guessVocab(config));
    return { ...labRun(mesh, config, own), isMeasured };
  }, [isMeasured, config, mesh, next, model.vocab_size]);
}

const showsRanks = (state: LabState, chosen: Mesh): boolean =>
  hasRanks(state) ||
  (state.phase !== 'empty' && JSON.stringify(state.mesh) === JSON.stringify(chosen));

/** Sentences about what this device makes slow, or may not hold. */
export function useWarnings({ mesh, planned, config }: LabRun): string[] {
  const device = useRun((state) => state.device);
  const onGpu = device?.backend === 'webgpu';
  const cores = onGpu ? null : navigator.hardwareConcurrency || null;
  return labWarnings({
    asks_for_float16: config.training.mixed_precision === 'fp16',
    ranks: worldSize(mesh),
    cores,
    bytes_needed: planned.reduce((sum, { memory }) => sum + memory.total, 0),
    bytes_here: device?.memory_bytes ?? null,
  });
}
