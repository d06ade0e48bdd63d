/** Estimates the time of a step from the speed of a rank and of the links between ranks. */
import type { ResolvedModel } from '../../config/index.ts';
import type { DeviceSpeed } from '../duration.ts';
import { flopsPerToken } from '../flops.ts';
import { chunksOf, type Mesh } from './mesh.ts';
import type { Placement } from './rank_activations.ts';
import { distinctRanks, stageShare } from './rank_parameters.ts';
import { rankTraffic, type Traffic } from './traffic.ts';
import { globalBatchSize, type ParallelTraining } from './training.ts';

/** The connection between two ranks; all are assumed to be the same. */
export interface Link {
  bytes_per_second: number;
  /** Added to each message. */
  latency_seconds: number;
}

/** Seconds of a step by what they are spent on. */
export interface StepTime {
  /** Of the slowest rank. */
  compute: number;
  /** Waiting for other stages of the pipeline. */
  bubble: number;
  /** Collectives of tensor parallelism, which nothing overlaps. */
  tensor: number;
  /** Activations sent between stages. */
  pipeline: number;
  /** Collectives of data parallelism and ZeRO, as far as the backward pass does not hide them. */
  data: number;
  total: number;
}

/**
 * Time for which the ranks of a pipeline wait, relative to the time for which they compute: (p-1)/(v m)
 * with p ranks, m micro-batches and v chunks (Narayanan et al. 2021).
 */
export const bubbleOverCompute = (mesh: Mesh, microbatches: number): number =>
  (mesh.pp - 1) / (chunksOf(mesh) * microbatches);

/** Share of the whole step that is bubble: (p-1)/(v m + p-1), see `bubbleOverCompute`. */
export const bubbleFraction = (mesh: Mesh, microbatches: number): number =>
  (mesh.pp - 1) / (chunksOf(mesh) * microbatches + mesh.pp - 1);

/** Share of the backward pass in the time of both passes, without recomputation. */
const BACKWARD_SHARE = 2 / 3;

/** Factor on the FLOPs of the blocks: their forward pass is a third, which `full` computes twice. */
const recomputation = ({ recompute_granularity }: ParallelTraining): number =>
  recompute_granularity === 'full' ? 4 / 3 : 1;

/** FLOPs that a rank computes in a step, with recomputation. */
export function rankFlops(
  model: ResolvedModel,
  training: ParallelTraining,
  { mesh, pp_rank }: Placement,
): number {
  const head = 6 * model.vocab_size * model.n_embd;
  const blocks = (flopsPerToken(model) - head) * recomputation(training);
  const { has_head } = stageShare(model, mesh, pp_rank);
  const perToken = (blocks / mesh.pp + (has_head ? head : 0)) / mesh.tp;
  return (perToken * globalBatchSize(training) * model.block_size) / mesh.dp;
}

export interface Speeds {
  /** The device of each rank. */
  device: DeviceSpeed;
  link: Link;
}

/**
 * Seconds of a step. The slowest stage sets the pace of a pipeline. The reduction of gradients overlaps
 * with the backward pass: of the last micro-batch under DP and ZeRO-1, of every one from ZeRO-2 on.
 */
export function stepTime(
  model: ResolvedModel,
  training: ParallelTraining,
  mesh: Mesh,
  { device, link }: Speeds,
): StepTime {
  const microbatches = training.gradient_accumulation_steps;
  const ranks = distinctRanks(mesh).map((pp_rank) => ({ mesh, pp_rank }));
  const traffic = ranks.map((rank) => rankTraffic(model, training, rank));
  const slowest = (seconds: readonly number[]): number => Math.max(...seconds);
  const overhead = microbatches * overheadSeconds(model, mesh, device);
  const compute = slowest(
    ranks.map((rank) => rankFlops(model, training, rank) / device.flops_per_second + overhead),
  );
  const tensor = slowest(traffic.map((list) => linkSeconds(groupOf(list, 'tp'), link)));
  const pipeline = slowest(traffic.map((list) => linkSeconds(groupOf(list, 'pp'), link)));
  const data = slowest(
    traffic.map((list) =>
      exposedSeconds(groupOf(list, 'dp'), link, { compute, mesh, microbatches }),
    ),
  );
  const bubble = bubbleOverCompute(mesh, microbatches) * (compute + tensor);
  return {
    compute,
    bubble,
    tensor,
    pipeline,
    data,
    total: compute + bubble + tensor + pipeline + data,
  };
}

/**
 * Fixed cost of a micro-batch on a rank. `step_overhead_ms` was measured with two layers and the head,
 * so it is divided by three for each of these.
 */
function overheadSeconds(
  model: ResolvedModel,
  mesh: Mesh,
  { step_overhead_ms }: DeviceSpeed,
): number {
  const layers = model.n_layer / mesh.pp + 1;
  return ((step_overhead_ms / 1000) * layers) / 3;
}

const groupOf = (traffic: readonly Traffic[], group: Traffic['group']): Traffic[] =>
  traffic.filter((entry) => entry.group === group);

/** Seconds that a rank takes to send this traffic. */
export const linkSeconds = (
  traffic: readonly Traffic[],
  { bytes_per_second, latency_seconds }: Link,
): number =>
  traffic.reduce(
    (sum, { bytes, messages }) => sum + bytes / bytes_per_second + messages * latency_seconds,
    0,
  );

/** Seconds of the collectives of data parallelism that computation does not hide. */
function exposedSeconds(
  traffic: readonly Traffic[],
  link: Link,
  { compute, mesh, microbatches }: { compute: number; mesh: Mesh; microbatches: number },
): number {
  const { zero_stage } = mesh;
  // ZeRO-3 gathers parameters in both passes of every micro-batch.
  if (zero_stage === 3) return Math.max(0, linkSeconds(traffic, link) - compute);
  const gathers = traffic.filter(({ kind }) => kind === 'all_gather');
  const reductions = traffic.filter(({ kind }) => kind !== 'all_gather');
  const backward = (BACKWARD_SHARE * compute) / (zero_stage === 2 ? 1 : microbatches);
  return Math.max(0, linkSeconds(reductions, link) - backward) + linkSeconds(gathers, link);
}
