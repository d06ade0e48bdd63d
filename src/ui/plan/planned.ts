/** Plans the choices of the panel (`planning.ts`). No React here. */
import { PRESETS, type ResolvedModel, resolveModel, type RunConfig } from '../../config/index.ts';
import { type DeviceSpeed, guessVocab } from '../../plan/index.ts';
import {
  DEFAULT_FRAGMENTATION,
  type FleetLimits,
  divisors,
  FLEETS,
  type Job,
  LINKS,
  type MeshPlan,
  type MeshProblem,
  globalBatchSize,
  meshProblems,
  microBatchProblem,
  type ParallelTraining,
  planMesh,
  PUBLISHED_MODELS,
  type Speeds,
  trainingOf,
} from '../../plan/parallel/index.ts';
import type { RunRecord } from '../../store/index.ts';
import type { Planning } from './planning.ts';

/** What a plan needs besides the choices of the panel. */
export interface Surroundings {
  /** The recipe of the form, after the last edit has settled. */
  recipe: { config: RunConfig; model: ResolvedModel };
  runs: readonly RunRecord[];
  /** Memory of this device that a run can use; null if unknown. */
  bytes_here: number | null;
  /** Null until this device is calibrated. */
  speed_here: DeviceSpeed | null;
}

export interface Planned {
  job: Job;
  /** The job of the source, without the changes that were made in the panel. */
  own: Job;
  fleet: FleetLimits;
  speeds: Speeds;
  problems: MeshProblem[];
  /** Null if the mesh has problems. */
  plan: MeshPlan | null;
}

/** Sequences of a step of a model that brings no recipe. */
const BATCH_OF_PUBLISHED = 256;

/** Training of a published or opened model: AdamW in mixed precision, as large models are trained. */
const publishedTraining = (): ParallelTraining => ({
  precision: 'mixed',
  optimizer: 'adamw',
  momentum: 0.9,
  recompute_granularity: 'none',
  batch_size: 1,
  gradient_accumulation_steps: BATCH_OF_PUBLISHED,
  fragmentation: DEFAULT_FRAGMENTATION,
});

/** Longest context of an opened model that is planned unless another one is typed. */
const LONGEST_CONTEXT = 8192;

/** The job of a source; that of the recipe if the source is no longer here. */
function jobOfSource({ source, file }: Planning, { recipe, runs }: Surroundings): Job {
  switch (source.kind) {
    case 'recipe':
      return jobOfRecipe(recipe);
    case 'preset': {
      const preset = PRESETS.find(({ id }) => id === source.id);
      return preset ? jobOfConfig(preset.config) : jobOfRecipe(recipe);
    }
    case 'run': {
      const record = runs.find(({ run }) => run === source.id);
      return record ? { ...jobOfConfig(record.config), stage: record.stage } : jobOfRecipe(recipe);
    }
    case 'published': {
      const published = PUBLISHED_MODELS.find(({ id }) => id === source.id);
      return published ? jobOfModel(published.model) : jobOfRecipe(recipe);
    }
    case 'file':
      return file ? jobOfModel(file.model) : jobOfRecipe(recipe);
    default:
      return source.kind satisfies never;
  }
}

const jobOfRecipe = ({ config, model }: Surroundings['recipe']): Job => ({
  model,
  training: trainingOf(config),
});

const jobOfConfig = (config: RunConfig): Job => ({
  model: resolveModel(config.model, guessVocab(config)),
  training: trainingOf(config),
});

const jobOfModel = (model: ResolvedModel): Job => ({
  model: { ...model, block_size: Math.min(model.block_size, LONGEST_CONTEXT) },
  training: publishedTraining(),
});

/** The speed that is assumed until this device is calibrated: that of a laptop. */
const assumedSpeed = (): DeviceSpeed =>
  fleetOf('laptop')?.speed ?? { flops_per_second: 1e12, step_overhead_ms: 0 };

const fleetOf = (id: string) => FLEETS.find((fleet) => fleet.id === id);

/** The memory that is assumed if the browser does not report it: that of a laptop. */
const assumedBytes = (): number => fleetOf('laptop')?.bytes ?? 8e9;

/** Memory and speed of a device of the fleet, and the link between two of them. */
function ratesOf(planning: Planning, around: Surroundings): { bytes: number; speeds: Speeds } {
  const { edited } = planning;
  const fleet = fleetOf(planning.fleet);
  const speed = fleet?.speed ?? around.speed_here ?? assumedSpeed();
  const link = LINKS.find(({ id }) => id === planning.link) ?? LINKS[0];
  return {
    bytes: edited.bytes ?? fleet?.bytes ?? around.bytes_here ?? assumedBytes(),
    speeds: {
      device: { ...speed, flops_per_second: edited.flops_per_second ?? speed.flops_per_second },
      link: {
        bytes_per_second: edited.bytes_per_second ?? link?.bytes_per_second ?? 1e9,
        latency_seconds: link?.latency_seconds ?? 0,
      },
    },
  };
}

/**
 * The number of micro-batches unless one was typed: `wanted`, or the next smaller number that gives every
 * data-parallel rank equally many sequences of each.
 */
function fittingMicroBatches(sequences: number, dp: number, wanted: number): number {
  if (sequences % dp !== 0) return wanted;
  return divisors(sequences / dp).findLast((steps) => steps <= wanted) ?? 1;
}

/** The job with what was changed in the panel. */
function changedJob({ model, training, stage }: Job, { changes, mesh }: Planning): Job {
  const { seq_length, global_batch_size, ...others } = changes;
  const sequences = global_batch_size ?? globalBatchSize(training);
  const gradient_accumulation_steps =
    changes.gradient_accumulation_steps ??
    fittingMicroBatches(sequences, mesh.dp, training.gradient_accumulation_steps);
  const batch_size = sequences / gradient_accumulation_steps;
  return {
    model: { ...model, block_size: seq_length ?? model.block_size },
    training: { ...training, ...others, batch_size, gradient_accumulation_steps },
    stage,
  };
}

/** Plans the choices, or says which problems they have. */
export function planOf(planning: Planning, around: Surroundings): Planned {
  const own = jobOfSource(planning, around);
  const job = changedJob(own, planning);
  const { bytes, speeds } = ratesOf(planning, around);
  const { mesh, devices } = planning;
  const batchProblem = microBatchProblem(
    Math.round(globalBatchSize(job.training)),
    job.training.gradient_accumulation_steps,
  );
  const problems = batchProblem ? [batchProblem] : meshProblems(mesh, job.model, job.training);
  return {
    job,
    own,
    fleet: { bytes_per_rank: bytes, ranks: devices },
    speeds,
    problems,
    plan: problems.length === 0 ? planMesh(job, mesh, speeds) : null,
  };
}
