/** Times training steps in steady state. */
import {
  gpuMemory,
  onWebGpu,
  opByOpDispatches,
  queueSubmits,
  submitStatistics,
} from '../src/backend/index.ts';
import type { StepResult, Trainer } from '../src/train/index.ts';
import type { Mode } from './configs.ts';
import { mean } from './statistics.ts';

/**
 * Steps between two reads of losses. At most two groups, 16 steps, are in flight; the ring of
 * results holds 32.
 */
export const GROUP = 8;
/** Losses that are kept. */
const MAX_LOSSES = 100;

export interface SteadyState {
  /** Milliseconds per step of each group. */
  groupMs: number[];
  meanMs: number;
  steps: number;
  hostMs: number;
  encodeMs: number;
  submits: number;
  dispatches: number | null;
  /** GPU bytes after the warm-up group. */
  bytesBefore: number;
}

export interface SteadyOptions {
  mode: Mode;
  steps: number;
  seconds: number;
}

/** Takes one step; its losses are appended to `losses`. */
export interface Stepper {
  trainer: Trainer;
  take: () => void;
  losses: number[];
}

/**
 * Takes steps in groups; the first group warms up. On WebGPU a group's results are read while the
 * next group is already submitted, so the GPU never waits for the host. Where there are no programs
 * a group is one step, read when it ends, as in the page's loop; the same holds for tfjs kernels on
 * WebGPU, whose steps can take seconds and gigabytes.
 */
export async function measureSteadyState(
  stepper: Stepper,
  { mode, steps, seconds }: SteadyOptions,
): Promise<SteadyState> {
  const size = onWebGpu() && mode !== 'reference' ? GROUP : 1;
  const groups = Math.ceil(steps / size) + 1;
  const fewest = size === 1 ? 2 : 3;
  const end = performance.now() + 1000 * seconds;
  const reader = new GroupReader(stepper.losses, size === 1 ? 0 : 1);
  let counts = new StepCounts();
  for (let group = 0; group < groups; group++) {
    if (group >= fewest && performance.now() >= end) break;
    if (group === 1) counts = new StepCounts();
    for (let i = 0; i < size; i++) counts.time(stepper.take);
    await reader.add(stepper.trainer.drain());
  }
  counts.end();
  await reader.finish();
  const groupMs = reader.marks.slice(1).map((mark, i) => (mark - (reader.marks[i] ?? NaN)) / size);
  return {
    groupMs,
    steps: groupMs.length * size,
    meanMs: mean(groupMs),
    ...counts.perStep(),
    dispatches: stepper.trainer.dispatchesPerStep ?? counts.dispatchesPerStep(),
    bytesBefore: counts.bytesBefore,
  };
}

/** Reads the results of groups, at most `inFlight` groups late, and notes when each arrives. */
class GroupReader {
  readonly marks: number[] = [];
  readonly #losses: number[];
  readonly #inFlight: number;
  readonly #pending: Promise<StepResult[]>[] = [];

  constructor(losses: number[], inFlight: number) {
    this.#losses = losses;
    this.#inFlight = inFlight;
  }

  async add(results: Promise<StepResult[]>): Promise<void> {
    this.#pending.push(results);
    if (this.#pending.length > this.#inFlight) await this.#readOldest();
  }

  async finish(): Promise<void> {
    while (this.#pending.length > 0) await this.#readOldest();
  }

  async #readOldest(): Promise<void> {
    for (const { loss } of (await this.#pending.shift()) ?? []) {
      if (this.#losses.length < MAX_LOSSES) this.#losses.push(loss);
    }
    this.marks.push(performance.now());
  }
}

/** Counts what steps cost the host since the counter was created. */
class StepCounts {
  readonly bytesBefore = onWebGpu() ? gpuMemory().allocated : 0;
  readonly #begin = counters();
  #end = this.#begin;
  #steps = 0;
  #hostMs = 0;
  #submits = 0;

  time(take: () => void): void {
    const begin = performance.now();
    const submitted = queueSubmits();
    take();
    this.#hostMs += performance.now() - begin;
    this.#submits += queueSubmits() - submitted;
    this.#steps++;
  }

  /** Stops counting. */
  end(): void {
    this.#end = counters();
  }

  perStep(): { hostMs: number; submits: number; encodeMs: number } {
    return {
      hostMs: this.#hostMs / this.#steps,
      submits: this.#submits / this.#steps,
      encodeMs: (this.#end.encodeMs - this.#begin.encodeMs) / this.#steps,
    };
  }

  /** Null off WebGPU. */
  dispatchesPerStep(): number | null {
    if (!onWebGpu()) return null;
    return (this.#end.dispatches - this.#begin.dispatches) / this.#steps;
  }
}

const counters = (): { encodeMs: number; dispatches: number } => ({
  encodeMs: submitStatistics().encodeMs,
  dispatches: opByOpDispatches(),
});
