/** One configuration in training on one backend, timed in steady state: one row of the table. */
import {
  type BackendChoice,
  gpuMemory,
  type KernelTime,
  onWebGpu,
  opByOpDispatches,
  profilePrograms,
  queueSubmits,
  setProgramMode,
  submitStatistics,
  timeOnWall,
} from '../src/backend/index.ts';
import { resolveModel } from '../src/config/index.ts';
import { type Choices, prepareMatmuls, seenMatmuls, withReferences } from '../src/ops/index.ts';
import { tuneMatmuls } from '../src/ops/matmul/tuner.ts';
import { flopsPerToken, planRun } from '../src/plan/index.ts';
import { Trainer } from '../src/train/index.ts';
import { measurePeak, type Peak } from '../src/worker/peak.ts';
import {
  type BenchOptions,
  CONFIGS,
  type Mode,
  type Precision,
  randomTokens,
  runConfig,
} from './configs.ts';
import { startDevice } from './device.ts';
import { mean, median } from './statistics.ts';
import { pretrain } from '../src/objectives/index.ts';

export interface BenchRow {
  config: string;
  backend: string;
  mode: Mode;
  /** Median over groups of steps, and mean, milliseconds a step. */
  ms: number;
  meanMs: number;
  /** Steps that were timed. */
  steps: number;
  tokensPerSec: number;
  /** Dispatches a step on WebGPU; null elsewhere. */
  dispatches: number | null;
  /**
   * Calls of GPUQueue.submit a step (reading losses back, once a group, not counted); null
   * elsewhere.
   */
  submits: number | null;
  /**
   * JavaScript a step on WebGPU: encoding and submitting alone, and with making and uploading the
   * batch.
   */
  encodeMs: number | null;
  hostMs: number;
  /**
   * Milliseconds of the step's programs alone, sent over and over: no batch is made or uploaded,
   * nothing is read. What `ms` is above it, the GPU waits for. Where programs are replayed; null
   * elsewhere.
   */
  programsMs: number | null;
  gpuBytes: number | null;
  gpuPeakBytes: number | null;
  /**
   * What the buffers grew by between the first group of steps and the last: 0 where memory is flat.
   */
  gpuGrowthBytes: number | null;
  /** Blocks run again in the backward pass; activations and logits as planned, bytes. */
  checkpointing: boolean;
  /** What it computed in: `no` also where fp16 was asked for and is not to be had. */
  precision: Precision;
  /** Whether products of halves took the card's subgroup matrices. */
  subgroupMatrices: boolean;
  plannedActivationBytes: number;
  gflops: number;
  /** Of the best matrix product measured on this backend. */
  peakShare: number | null;
  peakTflops: number | null;
  peakSize: number | null;
  /** Starting the backend; from there to programs ready, and to the first loss read back. */
  startMs: number;
  compileMs: number;
  firstLossMs: number;
  /** Of the first 100 steps: equal from run to run, and between modes up to rounding. */
  losses: number[];
  profile: KernelTime[] | null;
  browser: string;
  adapter: string;
  features: string[];
}

/**
 * Steps between two reads of losses: two such groups, 16 steps, are in flight at most (the ring
 * holds 32).
 */
const GROUP = 8;
const PROFILE_REPEATS = 20;

export async function measure(o: BenchOptions, log: (line: string) => void): Promise<BenchRow> {
  const begin = performance.now();
  const { device, check } = await startDevice(o.backend);
  const started = performance.now();
  const mode: Mode = onWebGpu() ? o.mode : 'reference';
  const c = CONFIGS[o.config];
  const config = runConfig(o.config, o.seed, o.checkpointing, o.precision);
  const tokens = randomTokens(o.config, o.seed);
  setProgramMode(mode === 'replay' ? 'replay' : 'op_by_op');
  const create = (): Promise<Trainer> =>
    Trainer.create({ config, objective: pretrain, split: tokens, vocab_size: c.vocab_size });
  let subgroupMatrices = false;
  if (onWebGpu()) {
    const { subgroup_matrices } = await prepareMatmuls(
      o.tune > 0 ? await tuned(create, o.tune, log) : {},
      o.precision === 'fp16',
    );
    subgroupMatrices = subgroup_matrices;
    log(
      `${o.config}, precision ${o.precision}: subgroup matrices ${subgroup_matrices ? 'in use' : 'not in use'}`,
    );
  }
  const trainer = await create();
  try {
    const compiled = performance.now();
    const precision = trainer.precision.mixed_precision;
    if (trainer.precision.reason !== null) log(trainer.precision.reason);
    const takeStep = () => trainer.takeStep();
    const take = mode === 'reference' ? () => withReferences(takeStep) : takeStep;
    take();
    const losses = (await trainer.drain()).map((r) => r.loss);
    const first = performance.now();
    log(
      `${o.config} on ${o.backend}, ${mode}: first loss ${losses[0]?.toFixed(4)} after ${(first - started).toFixed(0)} ms`,
    );
    const steady = await steadyState(
      trainer,
      take,
      onWebGpu() && mode !== 'reference' ? GROUP : 1,
      o,
      losses,
    );
    const memory = onWebGpu() ? gpuMemory() : null;
    const programsMs =
      onWebGpu() && mode === 'replay'
        ? await timeOnWall(trainer.programs, repeatsFor(median(steady.groupMs)))
        : null;
    const profile =
      o.profile && onWebGpu() && mode === 'replay'
        ? await profilePrograms(trainer.programs, PROFILE_REPEATS)
        : null;
    trainer.dispose();
    const peak = o.peak > 0 ? await measurePeak(o.peak) : null;
    check();
    const flops =
      flopsPerToken(resolveModel(config.model, c.vocab_size)) * c.batch_size * c.block_size;
    return row({
      o,
      mode,
      precision,
      subgroupMatrices,
      flops,
      steady,
      programsMs,
      memory,
      profile,
      peak,
      device,
      losses,
      times: {
        startMs: started - begin,
        compileMs: compiled - started,
        firstLossMs: first - started,
      },
    });
  } finally {
    setProgramMode('replay');
  }
}

/** A second of steps, and as many at least as are in flight in steady state. */
const repeatsFor = (ms: number): number => Math.min(200, Math.max(2 * GROUP, Math.ceil(1000 / ms)));

/** What the tuner finds for the products of this configuration, in at most so many milliseconds. */
async function tuned(
  create: () => Promise<Trainer>,
  budget_ms: number,
  log: (line: string) => void,
): Promise<Choices> {
  await prepareMatmuls();
  (await create()).dispose();
  const begin = performance.now();
  const products = seenMatmuls();
  const choices = await tuneMatmuls(products, {}, { stopped: () => false, budget_ms });
  log(
    `${Object.keys(choices).length} of ${products.length} products tuned in ${(performance.now() - begin).toFixed(0)} ms: ${JSON.stringify(choices)}`,
  );
  return choices;
}

interface Steady {
  groupMs: number[];
  meanMs: number;
  steps: number;
  hostMs: number;
  encodeMs: number;
  submits: number;
  dispatches: number | null;
  bytesBefore: number;
}

/**
 * Steps in groups; on WebGPU the results of a group are read while the next one is already
 * submitted, so that the GPU never waits for the reading. Groups of one step are read as they end,
 * as the page's loop does elsewhere, and in plain tfjs on WebGPU, of which one step can take
 * seconds and gigabytes. The first group warms up.
 */
async function steadyState(
  trainer: Trainer,
  take: () => void,
  size: number,
  o: BenchOptions,
  losses: number[],
): Promise<Steady> {
  const groups = Math.ceil(o.steps / size) + 1;
  const fewest = size === 1 ? 2 : 3;
  const marks: number[] = [];
  const end = performance.now() + 1000 * o.seconds;
  let waiting: ReturnType<Trainer['drain']> | null = null;
  let before = counters();
  let hostMs = 0;
  let submits = 0;
  let counted = 0;
  let bytesBefore = 0;
  const arrived = async (results: ReturnType<Trainer['drain']>): Promise<void> => {
    for (const r of await results) if (losses.length < 100) losses.push(r.loss);
    marks.push(performance.now());
  };
  for (let g = 0; g < groups && (g < fewest || performance.now() < end); g++) {
    if (g === 1) {
      before = counters();
      hostMs = submits = counted = 0;
      bytesBefore = onWebGpu() ? gpuMemory().allocated : 0;
    }
    for (let i = 0; i < size; i++, counted++) {
      const begin = performance.now();
      const submitted = queueSubmits();
      take();
      hostMs += performance.now() - begin;
      submits += queueSubmits() - submitted;
    }
    const results = trainer.drain();
    if (size === 1) await arrived(results);
    else if (waiting) await arrived(waiting);
    waiting = size === 1 ? null : results;
  }
  const after = counters();
  if (waiting) await arrived(waiting);
  const groupMs = marks.slice(1).map((mark, i) => (mark - (marks[i] ?? NaN)) / size);
  const steps = groupMs.length * size;
  return {
    groupMs,
    steps,
    meanMs: mean(groupMs),
    hostMs: hostMs / counted,
    submits: submits / counted,
    encodeMs: (after.encodeMs - before.encodeMs) / counted,
    dispatches:
      trainer.dispatchesPerStep ??
      (onWebGpu() ? (after.dispatches - before.dispatches) / counted : null),
    bytesBefore,
  };
}

const counters = (): { encodeMs: number; dispatches: number } => ({
  encodeMs: submitStatistics().encodeMs,
  dispatches: opByOpDispatches(),
});

interface Parts {
  o: BenchOptions;
  mode: Mode;
  precision: Precision;
  subgroupMatrices: boolean;
  flops: number;
  steady: Steady;
  programsMs: number | null;
  memory: { allocated: number; peak: number } | null;
  profile: KernelTime[] | null;
  peak: Peak | null;
  device: Omit<BackendChoice, 'reason'>;
  losses: number[];
  times: { startMs: number; compileMs: number; firstLossMs: number };
}
function row({
  o,
  mode,
  precision,
  subgroupMatrices,
  flops,
  steady,
  programsMs,
  memory,
  profile,
  peak,
  device,
  losses,
  times,
}: Parts): BenchRow {
  const planned = planRun(runConfig(o.config, o.seed, o.checkpointing, precision), {
    vocab_size: CONFIGS[o.config].vocab_size,
    max_binding_size: device.limits.max_binding_size,
  }).memory;
  const ms = median(steady.groupMs);
  const gflops = flops / ms / 1e6;
  const c = CONFIGS[o.config];
  const webgpu = device.backend === 'webgpu';
  return {
    config: o.config,
    backend: device.backend,
    mode,
    ms,
    meanMs: steady.meanMs,
    steps: steady.steps,
    tokensPerSec: (1000 * c.batch_size * c.block_size) / ms,
    dispatches: steady.dispatches,
    submits: webgpu ? steady.submits : null,
    encodeMs: webgpu ? steady.encodeMs : null,
    hostMs: steady.hostMs,
    programsMs,
    gpuBytes: memory?.allocated ?? null,
    gpuPeakBytes: memory?.peak ?? null,
    gpuGrowthBytes: memory ? memory.allocated - steady.bytesBefore : null,
    checkpointing: o.checkpointing,
    precision,
    subgroupMatrices: precision === 'fp16' && subgroupMatrices,
    plannedActivationBytes: planned.activations + planned.logits,
    gflops,
    peakShare: peak ? gflops / 1000 / peak.tflops : null,
    peakTflops: peak?.tflops ?? null,
    peakSize: peak?.size ?? null,
    ...times,
    losses,
    profile,
    browser: navigator.userAgent,
    adapter: device.adapter,
    features: device.features,
  };
}
