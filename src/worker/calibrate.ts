/**
 * Measures this device for about a second. The page estimates from it how long a run will take
 * (`estimateSeconds` in plan/).
 */
import { type Tensor, tensor2d, tidy } from '@tensorflow/tfjs-core';
import { onProcessor, onWebGpu, readback } from '../backend/index.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import type { TokenSplit } from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import { matmul, run } from '../ops/index.ts';
import { guessVocab, planRun } from '../plan/index.ts';
import { Trainer } from '../train/index.ts';

export interface Calibration {
  /** What a training step reaches, beyond its fixed cost. */
  flops_per_second: number;
  /** Fixed cost of a step of two layers, however small its matrices are. */
  step_overhead_ms: number;
}

/** Resolves to null if `cancelled` returns true between two measurements. */
export function calibrate(cancelled: () => boolean = () => false): Promise<Calibration | null> {
  return onWebGpu() ? calibrateKernels(cancelled) : calibrateSteps(cancelled);
}

/**
 * Share of the fastest matmul's speed that a training step reaches on WebGPU: its matmuls are
 * smaller, and a third of the time goes to other kernels.
 */
const UTILIZATION = 0.35;

/**
 * Compiling a training step takes seconds on WebGPU, so matmuls of growing size are timed instead,
 * until one takes long enough; then a chain of small operations for the fixed cost.
 */
async function calibrateKernels(cancelled: () => boolean): Promise<Calibration | null> {
  let fastest = 0;
  for (let n = 128; n <= 1024; n *= 2) {
    await product(n, 1);
    const begin = performance.now();
    await product(n, 4);
    const seconds = (performance.now() - begin) / 1000;
    fastest = Math.max(fastest, (4 * 2 * n ** 3) / seconds);
    if (cancelled()) return null;
    if (seconds > 0.1) break;
  }
  const begin = performance.now();
  for (let i = 0; i < 5; i++) {
    if (cancelled()) return null;
    await product(4, 20);
  }
  return {
    flops_per_second: UTILIZATION * fastest,
    step_overhead_ms: (performance.now() - begin) / 5,
  };
}

async function product(n: number, times: number): Promise<void> {
  const result = tidy(() => {
    const values = new Float32Array(n * n).fill(1 / n);
    const b = tensor2d(values, [n, n]);
    let a: Tensor = tensor2d(values, [n, n]);
    for (let i = 0; i < times; i++)
      a = run(matmul, { a, b }, { transpose_a: false, transpose_b: false }).c;
    return a;
  });
  await readback([result]);
  result.dispose();
}

/**
 * On the other backends real steps are timed, of two sizes: their difference gives the speed, and
 * what the smaller one takes beyond its arithmetic is the fixed cost.
 *
 * - Op by op, a step takes several times as long as its matmuls alone. The smaller model is so small
 *   that only the fixed cost is left, and the larger one is as large as the smallest preset.
 * - The engine on the processor has hardly any fixed cost, but more threads gain less in small models
 *   than in large ones, so both sizes are larger.
 */
async function calibrateSteps(cancelled: () => boolean): Promise<Calibration | null> {
  const [small, large] = (onProcessor() ? ENGINE_SIZES : OP_BY_OP_SIZES).map(stepOf);
  if (!small || !large) return null;
  const smallMs = await timeSteps(small, cancelled);
  const largeMs = smallMs === null ? null : await timeSteps(large, cancelled);
  if (smallMs === null || largeMs === null) return null;
  // Noise may even make the larger step the faster one.
  const seconds = Math.max(largeMs - smallMs, largeMs / 10) / 1000;
  const flops_per_second = (flopsOf(large) - flopsOf(small)) / seconds;
  const arithmeticMs = (1000 * flopsOf(small)) / flops_per_second;
  const step_overhead_ms = Math.max(smallMs - arithmeticMs, smallMs / 20);
  return { flops_per_second, step_overhead_ms };
}

function flopsOf(config: RunConfig): number {
  return planRun(config, { vocab_size: guessVocab(config) }).flops_per_step;
}

interface StepSize {
  n_embd: number;
  block_size: number;
  batch_size: number;
}

const OP_BY_OP_SIZES: readonly StepSize[] = [
  { n_embd: 8, block_size: 4, batch_size: 1 },
  { n_embd: 64, block_size: 16, batch_size: 16 },
];
const ENGINE_SIZES: readonly StepSize[] = [
  { n_embd: 64, block_size: 16, batch_size: 16 },
  { n_embd: 128, block_size: 64, batch_size: 8 },
];

function stepOf({ n_embd, block_size, batch_size }: StepSize): RunConfig {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 2, n_head: 4, n_embd, block_size });
  Object.assign(config.training, { batch_size });
  return config;
}

/** Steps are timed for this long, and at least so many: the first ones are slow, as code is compiled. */
const TIMING_MS = 250;
const MIN_STEPS = 5;

/** Milliseconds of a step: the fastest of a few, because other programs only make it slower. */
async function timeSteps(config: RunConfig, cancelled: () => boolean): Promise<number | null> {
  const vocab_size = guessVocab(config);
  const split = anyTokens(vocab_size);
  const trainer = await Trainer.create({ config, objective: pretrain, split, vocab_size });
  try {
    let fastest = Infinity;
    const end = performance.now() + TIMING_MS;
    for (let step = 0; step < MIN_STEPS || performance.now() < end; step++) {
      if (cancelled()) return null;
      const begin = performance.now();
      await trainer.takeStep();
      await trainer.drain();
      fastest = Math.min(fastest, performance.now() - begin);
    }
    return fastest;
  } finally {
    trainer.dispose();
  }
}

function anyTokens(vocab_size: number): TokenSplit {
  const ids = Int32Array.from({ length: 256 }, (_, index) => index % vocab_size);
  return { train: ids, val: ids, bytes_per_token: new Uint16Array(vocab_size).fill(1) };
}
