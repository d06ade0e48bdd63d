/** How long a step takes under a mesh, from the speed of a rank and of the link between ranks. */
import type { ResolvedModel } from '../../config/index.ts';
import type { DeviceSpeed } from '../duration.ts';
import { flopsPerToken } from '../flops.ts';
import { chunksOf, type Mesh } from './mesh.ts';
import type { Placement } from './rank_activations.ts';
import { distinctRanks, stageShare } from './rank_parameters.ts';
import { rankTraffic, type Traffic } from './traffic.ts';
import { globalBatchSize, type ParallelTraining } from './training.ts';

/** A connection between any two ranks. */
export interface Link {
  bytes_per_second: number;
  /** Of one message. */
  latency_seconds: number;
}

/** Seconds of a step, by what they are spent on. */
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
 * Share of a step that ranks of a pipeline wait, relative to the time they compute:
 * (p-1)/(v m) (Narayanan et al. 2021).
 */
export const bubbleOverCompute = (mesh: Mesh, microbatches: number): number =>
  (mesh.pp - 1) / (chunksOf(mesh) * microbatches);

/** Share of the whole step that is bubble: (p-1)/(m+p-1), or with v chunks (p-1)/(v m + p-1). */
export const bubbleFraction = (mesh: Mesh, microbatches: number): number =>
  (mesh.pp - 1) / (chunksOf(mesh) * microbatches + mesh.pp - 1);

/** The backward pass takes two thirds of a step without recomputation. */
const BACKWARD = 2 / 3;

/** The forward pass of the blocks is a third of their FLOPs, and `full` computes it twice. */
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
  /** Of one rank. */
  device: DeviceSpeed;
  link: Link;
}

/**
 * Seconds of a step. The slowest stage sets the pace of the pipeline. Gradients are reduced while the
 * backward pass goes on: of the last micro-batch under DP and ZeRO-1, of all of them from ZeRO-2 on.
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

/** Fixed costs of a micro-batch on a rank; `step_overhead_ms` was measured with two layers. */
function overheadSeconds(
  model: ResolvedModel,
  mesh: Mesh,
  { step_overhead_ms }: DeviceSpeed,
): number {
  const layers = model.n_layer / mesh.pp + 1;
  return ((step_overhead_ms / 1000) * layers) / 3;
}

const groupOf = (traffic: readonly Traffic[], group: Traffic['group']): Traffic[] =>
  traffic.filter((one) => one.group === group);

/** Seconds that a rank sends. */
export const linkSeconds = (
  traffic: readonly Traffic[],
  { bytes_per_second, latency_seconds }: Link,
): number =>
  traffic.reduce(
    (sum, { bytes, messages }) => sum + bytes / bytes_per_second + messages * latency_seconds,
    0,
  );

/** Seconds of data parallelism that remain after what the computation hides. */
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
  const backward = (BACKWARD * compute) / (zero_stage === 2 ? 1 : microbatches);
  return Math.max(0, linkSeconds(reductions, link) - backward) + linkSeconds(gathers, link);
}
