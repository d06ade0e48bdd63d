/** Finds the smallest mesh that fits a fleet, and says why other meshes are worse. */
import { divisors, tensorSizes } from './check.ts';
import { type Mesh, worldSize, type ZeroStage } from './mesh.ts';
import { type Job, type MeshPlan, peakBytes, planMesh } from './mesh_plan.ts';
import { type Speeds, stepTime } from './step_time.ts';
import {
  globalBatchSize,
  type ParallelTraining,
  RECOMPUTE_GRANULARITIES,
  type RecomputeGranularity,
  type StepBatch,
} from './training.ts';

export interface FleetLimits {
  /** Memory of each rank that training can use. */
  bytes_per_rank: number;
  /** Number of ranks in the fleet. */
  ranks: number;
}

/** What a search varies of the training. The number of sequences in a step stays the same. */
export interface TrainingOfCandidate {
  batch_size: number;
  gradient_accumulation_steps: number;
  recompute_granularity: RecomputeGranularity;
}

export interface Candidate {
  plan: MeshPlan;
  varied: TrainingOfCandidate;
}

/** Why a candidate is not the best one. `most` is the part that accounts for most of the difference. */
export type Loss =
  | { kind: 'more_ranks'; ranks: number; than: number; times_faster: number }
  | { kind: 'slower'; times: number; most: SlowPart }
  | { kind: 'too_large'; bytes: number; over: number };

/** What a slower candidate spends more time on than the best one. */
export type SlowPart = 'compute' | 'bubble' | 'tensor' | 'pipeline' | 'data';

export interface Found {
  /** Of the meshes with the fewest ranks, the fastest; null if none fits. */
  best: Candidate | null;
  /** The next best ones, the best first. */
  others: { candidate: Candidate; loss: Loss }[];
  /** Number of combinations of mesh, batch and recomputation that were planned. */
  tried: number;
}

/** How many other candidates are listed, by how their number of ranks compares with the best one's. */
const LISTED = { sameSize: 2, larger: 2, tooLarge: 2 };

/** A mesh and training that was tried, with the numbers that decide between them. */
interface Tried {
  mesh: Mesh;
  varied: TrainingOfCandidate;
  peak_bytes: number;
  /** Of a step; Infinity if the mesh does not fit. */
  seconds: number;
}

/**
 * Searches all meshes of at most `fleet.ranks` ranks whose sizes divide the model and the batch, with
 * every way to cut the batch into micro-batches and every kind of recomputation.
 */
export function searchMeshes(job: Job, fleet: FleetLimits, speeds: Speeds): Found {
  const steps = searchSteps(job, fleet, speeds);
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

/** The same search, which yields how many arrangements it has planned after each, and can be left. */
export function* searchSteps(
  job: Job,
  fleet: FleetLimits,
  speeds: Speeds,
): Generator<number, Found, undefined> {
  const best = new Map<string, Tried>();
  let tried = 0;
  for (const { mesh, batch } of meshesOf(job, fleet.ranks)) {
    for (const recompute_granularity of RECOMPUTE_GRANULARITIES) {
      const { model } = job;
      const varied = { ...batch, recompute_granularity };
      const training = { ...job.training, ...varied };
      const peak_bytes = peakBytes({ ...job, training }, mesh);
      const fits = peak_bytes <= fleet.bytes_per_rank;
      const seconds = fits ? stepTime(model, training, mesh, speeds).total : Infinity;
      keepBetter(best, { mesh, varied, peak_bytes, seconds });
      yield ++tried;
    }
  }
  const chosen = chooseCandidates([...best.values()]);
  const planned = ({ mesh, varied }: Tried): Candidate => {
    const training = { ...job.training, ...varied };
    return { plan: planMesh({ ...job, training }, mesh, speeds), varied };
  };
  return { ...compared(chosen, planned, fleet.bytes_per_rank), tried };
}

interface Arrangement {
  mesh: Mesh;
  batch: StepBatch;
}

/** Without GPipe, which has the bubble of 1F1B and holds at least as many activations. */
function* meshesOf({ model, training }: Job, ranks: number): Generator<Arrangement> {
  const batches = batchesOf(training);
  for (const tp of tensorSizes(model).filter((size) => size <= ranks))
    for (const pp of divisors(model.n_layer).filter((size) => tp * size <= ranks))
      for (const batch of batches)
        for (const dp of divisors(batch.batch_size).filter((size) => tp * pp * size <= ranks))
          for (const zero_stage of zeroStages(dp))
            for (const schedule of schedulesOf(pp, model.n_layer, batch))
              yield { mesh: { dp, tp, pp, zero_stage, ...schedule }, batch };
}

/** All ways to cut the sequences of a step into micro-batches. */
function batchesOf(training: ParallelTraining): StepBatch[] {
  const sequences = globalBatchSize(training);
  return divisors(sequences).map((gradient_accumulation_steps) => ({
    gradient_accumulation_steps,
    batch_size: sequences / gradient_accumulation_steps,
  }));
}

const zeroStages = (dp: number): readonly ZeroStage[] => (dp === 1 ? [0] : [0, 1, 2, 3]);

type Scheduled = Pick<Mesh, 'schedule' | 'virtual_chunks'>;

function schedulesOf(pp: number, n_layer: number, batch: StepBatch): Scheduled[] {
  const schedules: Scheduled[] = [{ schedule: '1f1b', virtual_chunks: 1 }];
  const canInterleave = pp > 1 && (n_layer / pp) % 2 === 0;
  if (canInterleave && batch.gradient_accumulation_steps % pp === 0)
    schedules.push({ schedule: 'interleaved', virtual_chunks: 2 });
  return schedules;
}

/** Keeps the best of the candidates that have the same sizes and ZeRO stage. */
function keepBetter(best: Map<string, Tried>, candidate: Tried): void {
  const { dp, tp, pp, zero_stage } = candidate.mesh;
  const key = [dp, tp, pp, zero_stage].join(' ');
  const current = best.get(key);
  if (!current || isBetter(candidate, current)) best.set(key, candidate);
}

/** The faster one is better, and of two that do not fit (both take Infinity) the smaller one. */
const isBetter = (a: Tried, b: Tried): boolean =>
  a.seconds < b.seconds || (a.seconds === b.seconds && a.peak_bytes < b.peak_bytes);

interface Chosen {
  best: Tried | null;
  /** Slower ones with as many ranks. */
  sameSize: Tried[];
  /** With more ranks. */
  larger: Tried[];
  /** With as many ranks or fewer, which do not fit into their memory. */
  tooLarge: Tried[];
}

/** Chooses the best candidate and those to list beside it. */
function chooseCandidates(all: readonly Tried[]): Chosen {
  const fitting = all.filter(({ seconds }) => seconds < Infinity).sort(byRanksThenTime);
  const [best = null, ...others] = fitting;
  const ranks = best ? worldSize(best.mesh) : Infinity;
  const sameSize = others.filter(({ mesh }) => worldSize(mesh) === ranks);
  const larger = others.slice(sameSize.length);
  const tooLarge = all
    .filter(({ mesh, seconds }) => seconds === Infinity && worldSize(mesh) <= ranks)
    .sort((a, b) => a.peak_bytes - b.peak_bytes);
  return {
    best,
    sameSize: sameSize.slice(0, LISTED.sameSize),
    larger: nextAndFastest(larger).slice(0, LISTED.larger),
    tooLarge: tooLarge.slice(0, LISTED.tooLarge),
  };
}

const byRanksThenTime = (a: Tried, b: Tried): number =>
  worldSize(a.mesh) - worldSize(b.mesh) || a.seconds - b.seconds;

/** The one with the fewest ranks, and the fastest one. `larger` is sorted by ranks. */
function nextAndFastest(larger: readonly Tried[]): Tried[] {
  const [next] = larger;
  const [fastest] = [...larger].sort((a, b) => a.seconds - b.seconds);
  return [...new Set([next, fastest])].filter((candidate) => candidate !== undefined);
}

/** Plans the chosen candidates in full, and compares each with the best one. */
function compared(
  chosen: Chosen,
  planned: (tried: Tried) => Candidate,
  limit: number,
): Omit<Found, 'tried'> {
  const tooLarge = chosen.tooLarge.map(planned).map((candidate) => {
    return { candidate, loss: tooLargeLoss(candidate, limit) };
  });
  if (!chosen.best) return { best: null, others: tooLarge };
  const best = planned(chosen.best);
  const sameSize = chosen.sameSize.map(planned).map((candidate) => {
    return { candidate, loss: slowerLoss(candidate, best) };
  });
  const larger = chosen.larger.map(planned).map((candidate) => {
    return { candidate, loss: moreRanksLoss(candidate, best) };
  });
  return { best, others: [...sameSize, ...larger, ...tooLarge] };
}

const sizeOf = ({ mesh }: MeshPlan): number => worldSize(mesh);

function moreRanksLoss({ plan }: Candidate, best: Candidate): Loss {
  const times_faster = best.plan.time.total / plan.time.total;
  return { kind: 'more_ranks', ranks: sizeOf(plan), than: sizeOf(best.plan), times_faster };
}

const tooLargeLoss = ({ plan }: Candidate, limit: number): Loss => ({
  kind: 'too_large',
  bytes: plan.peak_bytes,
  over: plan.peak_bytes - limit,
});

const SLOW_PARTS = ['compute', 'bubble', 'tensor', 'pipeline', 'data'] as const;

function slowerLoss({ plan }: Candidate, best: Candidate): Loss {
  const excess = (part: SlowPart): number => plan.time[part] - best.plan.time[part];
  const most = SLOW_PARTS.reduce((a, b) => (excess(b) > excess(a) ? b : a));
  return { kind: 'slower', times: plan.time.total / best.plan.time.total, most };
}
