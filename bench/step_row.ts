/** The result of one training configuration on one backend. */
import type { BackendChoice, KernelTime } from '../src/backend/index.ts';
import { type RecomputeGranularity, resolveModel } from '../src/config/index.ts';
import { flopsPerToken, planRun } from '../src/plan/index.ts';
import type { Peak } from '../src/worker/peak.ts';
import { type BenchOptions, CONFIGS, type Mode, type Precision, runConfig } from './configs.ts';
import { median } from './statistics.ts';
import type { SteadyState } from './steady_state.ts';

export interface BenchRow {
  config: string;
  backend: string;
  mode: Mode;
  /** Milliseconds per step: median over groups of steps. */
  ms: number;
  /** Milliseconds per step: mean over all timed steps. */
  meanMs: number;
  /** Steps that were timed. */
  steps: number;
  tokensPerSec: number;
  /** Dispatches per step on WebGPU; null elsewhere. */
  dispatches: number | null;
  /**
   * Calls of GPUQueue.submit per step, without those that read losses back, once per group; null
   * off WebGPU.
   */
  submits: number | null;
  /** Milliseconds of JavaScript per step for encoding and submitting on WebGPU; null elsewhere. */
  encodeMs: number | null;
  /** Milliseconds of JavaScript per step, with making and uploading the batch. */
  hostMs: number;
  /**
   * Milliseconds of the step's programs alone, run repeatedly without making or uploading a batch
   * or reading anything. The GPU is idle for the difference to `ms`. Null unless programs are
   * replayed.
   */
  programsMs: number | null;
  gpuBytes: number | null;
  gpuPeakBytes: number | null;
  /** Growth of all buffers from the first group of steps to the last. */
  gpuGrowthBytes: number | null;
  /** Activations that the backward pass computes again. */
  recompute: RecomputeGranularity;
  /** Rank of adapters; 0 if all parameters train. `gflops` then counts gradients of all weights. */
  lora: number;
  /** How the frozen base was kept: `float32` also where float16 was asked for and is not supported. */
  dtype: BenchOptions['dtype'];
  /** The precision in use: `no` also where fp16 was requested but is not supported. */
  precision: Precision;
  /** Whether float16 matmuls used subgroup matrices. */
  subgroupMatrices: boolean;
  /** Bytes of activations and logits according to the plan. */
  plannedActivationBytes: number;
  gflops: number;
  /** `gflops` over the rate of the best matmul measured on this backend. */
  peakShare: number | null;
  peakTflops: number | null;
  /** Rows and columns of that matmul. */
  peakSize: number | null;
  /** Milliseconds to start the backend. */
  startMs: number;
  /** Milliseconds from the started backend to compiled programs. */
  compileMs: number;
  /** Milliseconds from the started backend to the first loss on the host. */
  firstLossMs: number;
  /** Losses of the first 100 steps: equal in every run, and up to rounding in every mode. */
  losses: number[];
  profile: KernelTime[] | null;
  browser: string;
  adapter: string;
  features: string[];
}

export interface Measured {
  mode: Mode;
  precision: Precision;
  dtype: BenchOptions['dtype'];
  subgroupMatrices: boolean;
  steady: SteadyState;
  programsMs: number | null;
  memory: { allocated: number; peak: number } | null;
  profile: KernelTime[] | null;
  peak: Peak | null;
  device: Omit<BackendChoice, 'reason'>;
  losses: number[];
  times: { startMs: number; compileMs: number; firstLossMs: number };
}

export function rowOf(options: BenchOptions, measured: Measured): BenchRow {
  const { steady, memory, peak, device, precision } = measured;
  const { batch_size, block_size } = CONFIGS[options.config];
  const ms = median(steady.groupMs);
  const gflops = stepFlops(options) / ms / 1e6;
  const webgpu = device.backend === 'webgpu';
  return {
    config: options.config,
    backend: device.backend,
    mode: measured.mode,
    ms,
    meanMs: steady.meanMs,
    steps: steady.steps,
    tokensPerSec: (1000 * batch_size * block_size) / ms,
    dispatches: steady.dispatches,
    submits: webgpu ? steady.submits : null,
    encodeMs: webgpu ? steady.encodeMs : null,
    hostMs: steady.hostMs,
    programsMs: measured.programsMs,
    gpuBytes: memory?.allocated ?? null,
    gpuPeakBytes: memory?.peak ?? null,
    gpuGrowthBytes: memory ? memory.allocated - steady.bytesBefore : null,
    recompute: options.recompute,
    lora: options.lora,
    dtype: measured.dtype,
    precision,
    subgroupMatrices: precision === 'fp16' && measured.subgroupMatrices,
    plannedActivationBytes: plannedBytes(options, measured),
    gflops,
    peakShare: peak ? gflops / 1000 / peak.tflops : null,
    peakTflops: peak?.tflops ?? null,
    peakSize: peak?.size ?? null,
    ...measured.times,
    losses: measured.losses,
    profile: measured.profile,
    browser: navigator.userAgent,
    adapter: device.adapter,
    features: device.features,
  };
}

function stepFlops({ config, seed }: BenchOptions): number {
  const { vocab_size, batch_size, block_size } = CONFIGS[config];
  const model = resolveModel(runConfig(config, seed).model, vocab_size);
  return flopsPerToken(model) * batch_size * block_size;
}

function plannedBytes(options: BenchOptions, { precision, device }: Measured): number {
  const { config, seed, recompute } = options;
  const { memory } = planRun(runConfig(config, seed, recompute, precision), {
    vocab_size: CONFIGS[config].vocab_size,
    max_binding_size: device.limits.max_binding_size,
  });
  return memory.activations + memory.logits;
}
