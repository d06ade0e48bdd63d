/**
 * Measures where one training step of a run spends its time, without changing the run. Loaded on
 * demand.
 */
import { keepingState, type KernelTime, profilePrograms, timeOnWall } from '../backend/index.ts';
import type { KernelKind, StepProfile } from '../protocol/index.ts';
import type { Trainer } from '../train/index.ts';
import { measurePeak, type Peak } from './peak.ts';

/** Time that the measured steps may take together; they are repeated at most so many times. */
const BUDGET_MS = 300;
const MOST_REPEATS = 100;
/**
 * The largest product that the peak is looked for with: 2048 is within a tenth of 4096 on an H100
 * and takes a quarter of its memory.
 */
const LARGEST_PRODUCT = 2048;
const NAMED_KERNELS = 8;

/** The device stays the same as long as this worker's page of code is there. */
let peak: Promise<Peak> | null = null;

/** What a profile needs of a Trainer. */
export type ProfiledTrainer = Pick<Trainer, 'programs' | 'step' | 'step_ms'>;

/** Throws an Error with one plain sentence where nothing can be measured. */
export async function profileStep(
  trainer: ProfiledTrainer,
  accumulation: number,
): Promise<StepProfile> {
  const [microStep, update] = trainer.programs;
  if (!(microStep?.encode ?? microStep?.execute) || !update) {
    if (!(trainer.step_ms > 0))
      throw new Error('No step has been taken yet: train for a moment, then measure.');
    return { step: trainer.step, step_ms: trainer.step_ms, kinds: null, kernels: [], peak: null };
  }
  const step = Array.from({ length: accumulation }, () => microStep);
  const { step_ms, times } = await keepingState(trainer.programs, async () => {
    // In the first run the clock of a GPU is still low, and caches are cold.
    const warm = await timeOnWall([...step, update], 1);
    const step_ms = await timeOnWall([...step, update], repeatsFor(warm));
    return {
      step_ms,
      times: await profilePrograms(trainer.programs, repeatsFor(step_ms), step_ms),
    };
  });
  if (!times) return { step: trainer.step, step_ms, kinds: null, kernels: [], peak: null };
  const { tflops, size } = await (peak ??= measurePeak(LARGEST_PRODUCT));
  return {
    step: trainer.step,
    step_ms,
    ...byKind(times, microStep.name, accumulation),
    peak: { flops_per_second: 1e12 * tflops, size },
  };
}

const repeatsFor = (ms: number): number =>
  Math.max(1, Math.min(MOST_REPEATS, Math.floor(BUDGET_MS / ms)));

/** Sums by kind, longest first; what the micro-step takes counts `accumulation` times a step. */
export function byKind(
  times: readonly KernelTime[],
  microStep: string,
  accumulation: number,
): Required<Pick<StepProfile, 'kinds' | 'kernels'>> {
  const kinds = new Map<
    KernelKind,
    { kind: KernelKind; ms: number; dispatches: number; flops: number | null }
  >();
  const scaled = times.map((t) => {
    const n = t.program === microStep ? accumulation : 1;
    return { ...t, ms: n * t.ms, dispatches: n * t.count };
  });
  for (const t of scaled) {
    const kind = t.program === microStep ? kindOf(t.kernel) : 'optimizer';
    const sum = kinds.get(kind) ?? {
      kind,
      ms: 0,
      dispatches: 0,
      flops: kind === 'products' ? 0 : null,
    };
    kinds.set(kind, {
      kind,
      ms: sum.ms + t.ms,
      dispatches: sum.dispatches + t.dispatches,
      flops: sum.flops === null ? null : sum.flops + t.dispatches * productFlops(t.kernel),
    });
  }
  const longest = <T extends { ms: number }>(all: readonly T[]): T[] =>
    [...all].sort((a, b) => b.ms - a.ms);
  return {
    kinds: longest([...kinds.values()]),
    kernels: longest(scaled)
      .slice(0, NAMED_KERNELS)
      .map(({ kernel, ms, dispatches }) => ({ kernel, ms, dispatches })),
  };
}

/** By the name that a kernel has in `dispatch`. */
export function kindOf(kernel: string): KernelKind {
  if (/^(matmul |sum_partials|column_sums|MatMul)/u.test(kernel)) return 'products';
  if (/^(attention|rope)/u.test(kernel)) return 'attention';
  if (/norm/u.test(kernel)) return 'norms';
  return /^(cross_entropy|step_sums)/u.test(kernel) ? 'cross_entropy' : 'other';
}

/** 2 M N K, which the name of a product says ("matmul nt 2048x384x1536 wide"); 0 for the rest. */
export function productFlops(kernel: string): number {
  const [, m, n, k] = /^matmul \w+ (\d+)x(\d+)x(\d+)/u.exec(kernel) ?? [];
  return 2 * Number(m ?? 0) * Number(n ?? 0) * Number(k ?? 0);
}
