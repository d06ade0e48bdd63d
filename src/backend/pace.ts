/**
 * How long submits keep the GPU busy, measured, and into how many parts a long one is cut: a submit
 * that runs for two seconds is taken for a hang and the device is reset on Windows.
 */
import type { Program } from './program_types.ts';
import { webgpu } from './state.ts';

/** A submit of more than LONG_MS is cut into parts of about PART_MS. */
const LONG_MS = 500;
const PART_MS = 250;
/** Dispatches of a part while nothing has been measured yet. */
const UNMEASURED_PART = 48;
/** Time between two measurements. */
const MEASURE_EVERY_MS = 2000;

/**
 * Number of parts for a submit of `dispatches` that is expected to take `ms` milliseconds, or NaN
 * if nothing has been measured.
 */
export function partsFor(ms: number, dispatches: number): number {
  if (Number.isNaN(ms)) return Math.ceil(dispatches / UNMEASURED_PART);
  return ms > LONG_MS ? Math.min(dispatches, Math.ceil(ms / PART_MS)) : 1;
}

/** `ms`: GPU time a dispatch, NaN before the first measurement. `measured`: when it was taken. */
export interface Pace {
  ms: number;
  measured: number;
}

const paces = new WeakMap<Program, Pace>();

/** The pace of submits that begin with this program. */
export function paceOf(program: Program): Pace {
  const known = paces.get(program);
  if (known) return known;
  const pace = { ms: NaN, measured: -Infinity };
  paces.set(program, pace);
  return pace;
}

/** When the previous submit was done, if that was observed. */
let previous: Promise<number> | null = null;

/**
 * Every MEASURE_EVERY_MS, measures from two consecutive submits: the second took from the time when
 * it was sent, or when the first was done, until it was done itself. The first submit of a program
 * is measured by itself.
 */
export function observe(pace: Pace, sent: number, dispatches: number): void {
  const earlier = previous;
  const due = sent - pace.measured > MEASURE_EVERY_MS;
  previous = null;
  if (!due) return;
  const done = webgpu()
    .device.queue.onSubmittedWorkDone()
    .then(
      () => performance.now(),
      () => NaN,
    );
  if (earlier || Number.isNaN(pace.ms)) {
    pace.measured = earlier ? sent : pace.measured;
    void Promise.all([earlier ?? sent, done]).then(([start, end]) => {
      if (end >= start) pace.ms = (end - Math.max(sent, start)) / dispatches;
    });
  }
  if (!earlier) previous = done;
}
