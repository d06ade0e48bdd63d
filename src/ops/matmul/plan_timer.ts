/** Times plans of one matmul on the GPU, each only if its result is correct. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  compileProgram,
  fillInPlace,
  type Outputs,
  type Program,
  readback,
  Store,
  submit,
  timePrograms,
} from '../../backend/index.ts';
import { fillWithNoise, largestDifference } from './compare.ts';
import { matmulKernel } from './kernel.ts';
import { type MatmulShape, type Plan, planOf } from './plan.ts';
import { TILES } from './tiles.ts';

/**
 * Largest difference from the simplest kernel, relative to the largest value: float32 sums of up to
 * some ten thousand products in another order.
 */
const TOLERANCE = 1e-4;
/** A candidate must take at most this share of the default's time; the rest is noise. */
const WORTH = 0.97;
/** Milliseconds of one measurement of one candidate. */
const SLICE_MS = 3;
const ROUNDS = 3;

interface Timing {
  plan: Plan;
  program: Program;
  /** Runs in one measurement. */
  repeats: number;
  times: number[];
}

/** A matmul with operands of its own. Holds GPU memory until `dispose`. */
export class PlanTimer {
  readonly #shape: MatmulShape;
  readonly #stores = new Map<string, Store>();
  #prepared = false;

  constructor(shape: MatmulShape) {
    this.#shape = shape;
    const { transpose_a, transpose_b, M, N, K } = shape;
    const shapes = {
      a: transpose_a ? [K, M] : [M, K],
      b: transpose_b ? [N, K] : [K, N],
      c: [M, N],
      c_expected: [M, N],
      sums: [N],
      sums_expected: [N],
      largest: [2],
    };
    for (const [name, size] of Object.entries(shapes))
      this.#stores.set(name, new Store(name, [{ name, shape: size }]));
  }

  dispose(): void {
    for (const store of this.#stores.values()) store.dispose();
  }

  /**
   * The fastest of the plans that compile and are correct, or the first if no other is clearly
   * faster. Null if `stopped` became true before the end, or the first could not be timed.
   */
  async fastest(plans: readonly Plan[], stopped: () => boolean): Promise<Plan | null> {
    await this.#prepare();
    const timings: Timing[] = [];
    try {
      for (const plan of plans) {
        if (stopped()) return null;
        const program = await this.#compileCorrect(plan);
        if (program) timings.push({ plan, program, repeats: 1, times: [] });
      }
      const done = await measure(timings, stopped);
      return done ? best(timings) : null;
    } finally {
      for (const { program } of timings) program.dispose();
    }
  }

  #get(name: string): Tensor {
    const store = this.#stores.get(name);
    if (!store) throw new Error(`The tuner has no ${name}.`);
    return store.get(name);
  }

  #multiply(plan: Plan, suffix = ''): void {
    const { transpose_a, transpose_b, columns } = this.#shape;
    matmulKernel(this.#get('a'), this.#get('b'), {
      transpose_a,
      transpose_b,
      plan: () => plan,
      to: this.#get(`c${suffix}`),
      columns: columns ? { to: this.#get(`sums${suffix}`), add: false } : undefined,
    });
  }

  #compile(name: string, body: () => void): Promise<Program> {
    return compileProgram(name, (): Outputs => {
      body();
      return {};
    });
  }

  /** Fills the operands and computes the expected results, once. */
  async #prepare(): Promise<void> {
    if (this.#prepared) return;
    this.#prepared = true;
    const program = await this.#compile('tuner: expected', () => {
      fillWithNoise(this.#get('a'), 1);
      fillWithNoise(this.#get('b'), 2);
      this.#multiply(planOf(TILES.small, this.#shape, 1, 'separate'), '_expected');
    });
    submit([program]);
    program.dispose();
  }

  /** Null if the plan does not compile or its result is wrong. */
  async #compileCorrect(plan: Plan): Promise<Program | null> {
    const name = `tuner: ${plan.tile.name} split ${plan.splits}`;
    const program = await this.#compile(name, () => this.#multiply(plan)).catch(() => null);
    if (!program || (await this.#isCorrect(plan))) return program;
    program.dispose();
    return null;
  }

  async #isCorrect(plan: Plan): Promise<boolean> {
    const largest = this.#get('largest');
    const check = await this.#compile('tuner: check', () => {
      fillInPlace(this.#get('c'), NaN);
      fillInPlace(largest, 0);
      this.#multiply(plan);
      largestDifference(largest, this.#get('c'), this.#get('c_expected'));
      if (this.#shape.columns)
        largestDifference(largest, this.#get('sums'), this.#get('sums_expected'));
    });
    submit([check]);
    const [pair] = await readback([largest]);
    check.dispose();
    return (pair?.[0] ?? NaN) <= TOLERANCE * (pair?.[1] ?? NaN);
  }
}

/** Times all plans in turn, round by round. False if stopped before the end. */
async function measure(timings: readonly Timing[], stopped: () => boolean): Promise<boolean> {
  for (let round = -1; round < ROUNDS; round++)
    for (const timing of timings) {
      if (stopped()) return false;
      const [ms] = await timePrograms([timing]);
      if (ms === undefined || !Number.isFinite(ms)) continue;
      // The first round warms up and determines how many runs fill a slice.
      if (round < 0) timing.repeats = Math.max(1, Math.min(200, Math.round(SLICE_MS / ms)));
      else timing.times.push(ms);
    }
  return true;
}

function best(timings: readonly Timing[]): Plan | null {
  const times = timings.map((timing) => median(timing.times));
  const standard = times[0];
  if (standard === undefined || !Number.isFinite(standard)) return null;
  const fastest = times.indexOf(Math.min(...times));
  const worth = (times[fastest] ?? Infinity) < WORTH * standard;
  return timings[worth ? fastest : 0]?.plan ?? null;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  return sorted[sorted.length >> 1] ?? NaN;
}
