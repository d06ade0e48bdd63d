/** Finds the smallest arrangement of ranks that fits a fleet, and says why others lose. */
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
  /** Ranks that there are. */
  ranks: number;
}

/** What a search varies of the training; the sequences of a step stay the same. */
export interface TrainingOfCandidate {
  batch_size: number;
  gradient_accumulation_steps: number;
  recompute_granularity: RecomputeGranularity;
}

export interface Candidate {
  plan: MeshPlan;
  varied: TrainingOfCandidate;
}

/** Why a candidate is not the best one. */
export type Loss =
  | { kind: 'more_ranks'; ranks: number; than: number; times_faster: number }
  | { kind: 'slower'; times: number; most: SlowPart }
  | { kind: 'too_large'; bytes: number; over: number };

/** What a slower candidate spends more time on than the best one. */
export type SlowPart = 'compute' | 'bubble' | 'tensor' | 'pipeline' | 'data';

export interface Found {
  /** The fastest of the fewest ranks; null if nothing fits. */
  best: Candidate | null;
  /** The next best ones, the best first. */
  others: { candidate: Candidate; loss: Loss }[];
  /** Arrangements that were planned. */
  tried: number;
}

/** Other candidates that are listed: as many ranks, more ranks, and fewer that do not fit. */
const LISTED = { alike: 2, more: 2, fewer: 2 };

/** What decides between arrangements. */
interface Tried {
  mesh: Mesh;
  varied: TrainingOfCandidate;
  peak_bytes: number;
  /** Of a step; not computed of what does not fit. */
  seconds: number;
}

/** Searches all meshes of at most `ranks` ranks whose sizes divide the model and the batch. */
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
  const chosen = ranked([...best.values()]);
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

/** 1F1B holds no more than GPipe at the same bubble, so GPipe is left out. */
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

/** Of the arrangements with the same sizes and ZeRO stage, the best: one that fits, then the fastest. */
function keepBetter(best: Map<string, Tried>, one: Tried): void {
  const { dp, tp, pp, zero_stage } = one.mesh;
  const key = [dp, tp, pp, zero_stage].join(' ');
  const known = best.get(key);
  if (!known || isBetter(one, known)) best.set(key, one);
}

/** What does not fit takes infinitely long. */
const isBetter = (one: Tried, known: Tried): boolean =>
  one.seconds < known.seconds ||
  (one.seconds === known.seconds && one.peak_bytes < known.peak_bytes);

interface Chosen {
  best: Tried | null;
  /** As many ranks. */
  alike: Tried[];
  /** More ranks. */
  larger: Tried[];
  /** No more ranks, but too little memory. */
  tooLarge: Tried[];
}

function ranked(all: readonly Tried[]): Chosen {
  const fitting = all.filter(({ seconds }) => seconds < Infinity).sort(byRanksThenTime);
  const [best = null, ...others] = fitting;
  const ranks = best ? worldSize(best.mesh) : Infinity;
  const alike = others.filter(({ mesh }) => worldSize(mesh) === ranks);
  const larger = others.slice(alike.length);
  const tooLarge = all
    .filter(({ mesh, seconds }) => seconds === Infinity && worldSize(mesh) <= ranks)
    .sort((a, b) => a.peak_bytes - b.peak_bytes);
  return {
    best,
    alike: alike.slice(0, LISTED.alike),
    larger: nextAndFastest(larger).slice(0, LISTED.more),
    tooLarge: tooLarge.slice(0, LISTED.fewer),
  };
}

const byRanksThenTime = (a: Tried, b: Tried): number =>
  worldSize(a.mesh) - worldSize(b.mesh) || a.seconds - b.seconds;

/** The next larger size, and the fastest of all. */
function nextAndFastest(larger: readonly Tried[]): Tried[] {
  const [next] = larger;
  const [fastest] = [...larger].sort((a, b) => a.seconds - b.seconds);
  return [...new Set([next, fastest])].filter((one) => one !== undefined);
}

function compared(
  chosen: Chosen,
  planned: (one: Tried) => Candidate,
  limit: number,
): Omit<Found, 'tried'> {
  const tooLarge = chosen.tooLarge.map(planned).map((candidate) => {
    return { candidate, loss: tooLargeLoss(candidate, limit) };
  });
  if (!chosen.best) return { best: null, others: tooLarge };
  const best = planned(chosen.best);
  const alike = chosen.alike.map(planned).map((candidate) => {
    return { candidate, loss: slowerLoss(candidate, best) };
  });
  const larger = chosen.larger.map(planned).map((candidate) => {
    return { candidate, loss: moreRanksLoss(candidate, best) };
  });
  return { best, others: [...alike, ...larger, ...tooLarge] };
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
  const more = (part: SlowPart): number => plan.time[part] - best.plan.time[part];
  const most = SLOW_PARTS.reduce((a, b) => (more(b) > more(a) ? b : a));
  return { kind: 'slower', times: plan.time.total / best.plan.time.total, most };
}
