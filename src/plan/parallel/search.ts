/** Finds the smallest arrangement of ranks that fits a fleet, and says why others lose. */
import { divisors, tensorSizes } from './check.ts';
import { type Mesh, meshSize, type ZeroStage } from './mesh.ts';
import { type Job, type MeshPlan, planMesh } from './mesh_plan.ts';
import type { Speeds } from './step_time.ts';
import { RECOMPUTE_GRANULARITIES, type RecomputeGranularity } from './training.ts';

export interface FleetLimits {
  /** Memory of each rank that training can use. */
  bytes_per_rank: number;
  /** Ranks that there are. */
  ranks: number;
}

export interface Candidate {
  plan: MeshPlan;
  recompute_granularity: RecomputeGranularity;
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

/** Searches all meshes of at most `ranks` ranks whose sizes divide the model and the batch. */
export function searchMeshes(
  job: Job,
  { bytes_per_rank, ranks }: FleetLimits,
  speeds: Speeds,
): Found {
  const best = new Map<string, Candidate>();
  let tried = 0;
  for (const mesh of meshesOf(job, ranks)) {
    for (const recompute_granularity of granularitiesOf(job)) {
      const training = { ...job.training, recompute_granularity };
      const plan = planMesh({ ...job, training }, mesh, speeds);
      tried++;
      keepBetter(best, { plan, recompute_granularity }, bytes_per_rank);
    }
  }
  return { ...ranked([...best.values()], bytes_per_rank), tried };
}

/** The kernels of this page never keep attention scores, so `selective` is `none` there. */
const granularitiesOf = ({ training }: Job): readonly RecomputeGranularity[] =>
  training.precision === 'mixed'
    ? RECOMPUTE_GRANULARITIES
    : RECOMPUTE_GRANULARITIES.filter((one) => one !== 'selective');

/** 1F1B holds no more than GPipe at the same bubble, so GPipe is left out. */
function* meshesOf({ model, training }: Job, ranks: number): Generator<Mesh> {
  for (const tp of tensorSizes(model).filter((size) => size <= ranks))
    for (const pp of divisors(model.n_layer).filter((size) => tp * size <= ranks))
      for (const dp of divisors(training.global_batch_size).filter((n) => tp * pp * n <= ranks))
        for (const microbatches of divisors(training.global_batch_size / dp))
          for (const zero_stage of zeroStages(dp))
            yield* schedulesOf({ dp, tp, pp, microbatches, zero_stage }, model.n_layer);
}

const zeroStages = (dp: number): readonly ZeroStage[] => (dp === 1 ? [0] : [0, 1, 2, 3]);

function* schedulesOf(
  mesh: Omit<Mesh, 'schedule' | 'virtual_chunks'>,
  n_layer: number,
): Generator<Mesh> {
  const { pp, microbatches } = mesh;
  yield { ...mesh, schedule: '1f1b', virtual_chunks: 1 };
  const layers = n_layer / pp;
  if (pp > 1 && layers % 2 === 0 && microbatches % pp === 0)
    yield { ...mesh, schedule: 'interleaved', virtual_chunks: 2 };
}

/** Of the arrangements with the same sizes and ZeRO stage, the best: one that fits, then the fastest. */
function keepBetter(best: Map<string, Candidate>, candidate: Candidate, limit: number): void {
  const { dp, tp, pp, zero_stage } = candidate.plan.mesh;
  const key = [dp, tp, pp, zero_stage].join(' ');
  const known = best.get(key);
  if (!known || isBetter(candidate.plan, known.plan, limit)) best.set(key, candidate);
}

function isBetter(plan: MeshPlan, known: MeshPlan, limit: number): boolean {
  const fits = plan.peak_bytes <= limit;
  if (fits !== known.peak_bytes <= limit) return fits;
  if (!fits) return plan.peak_bytes < known.peak_bytes;
  return plan.time.total < known.time.total;
}

function ranked(candidates: readonly Candidate[], limit: number): Omit<Found, 'tried'> {
  const fitting = candidates.filter(({ plan }) => plan.peak_bytes <= limit).sort(byRanksThenTime);
  const [best] = fitting;
  const tooLarge = candidates
    .filter(({ plan }) => plan.peak_bytes > limit && (!best || sizeOf(plan) <= sizeOf(best.plan)))
    .sort((a, b) => a.plan.peak_bytes - b.plan.peak_bytes)
    .slice(0, LISTED.fewer)
    .map((candidate) => ({ candidate, loss: tooLargeLoss(candidate, limit) }));
  if (!best) return { best: null, others: tooLarge };
  const others = fitting.filter((candidate) => candidate !== best);
  const alike = others
    .filter(({ plan }) => sizeOf(plan) === sizeOf(best.plan))
    .slice(0, LISTED.alike)
    .map((candidate) => ({ candidate, loss: slowerLoss(candidate, best) }));
  return { best, others: [...alike, ...largerOnes(others, best), ...tooLarge] };
}

const sizeOf = ({ mesh }: MeshPlan): number => meshSize(mesh);

const byRanksThenTime = (a: Candidate, b: Candidate): number =>
  sizeOf(a.plan) - sizeOf(b.plan) || a.plan.time.total - b.plan.time.total;

/** The next larger size, and the fastest of all. */
function largerOnes(others: readonly Candidate[], best: Candidate): Found['others'] {
  const larger = others.filter(({ plan }) => sizeOf(plan) > sizeOf(best.plan));
  const [next] = larger;
  const fastest = [...larger].sort((a, b) => a.plan.time.total - b.plan.time.total)[0];
  return [...new Set([next, fastest])]
    .filter((candidate) => candidate !== undefined)
    .slice(0, LISTED.more)
    .map((candidate) => ({ candidate, loss: moreRanksLoss(candidate, best) }));
}

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
