/**
 * Sending programs to the GPU: in one submit, or in several where one would keep the GPU busy for
 * so long that the system takes it for hung (two seconds on Windows). How long a submit takes is
 * measured, not guessed.
 */
import type { Program, SubmitItem } from './program_types.ts';
import { webgpu } from './state.ts';
import { flushTfjs } from './tfjs_private.ts';

/** Above the first, a submit is cut into parts of about the second, milliseconds. */
const LONG_MS = 500;
const PART_MS = 250;
/** Dispatches of a part while nothing has been measured yet. */
const UNKNOWN_PART = 48;
/** Time between two measurements. */
const MEASURE_EVERY_MS = 2000;

let submits = 0;
let encodeMs = 0;
/**
 * Submits of replayed programs, and the milliseconds of JavaScript spent encoding them (op by op:
 * spent running their functions).
 */
export const submitStatistics = (): { submits: number; encodeMs: number } => ({
  submits,
  encodeMs,
});

/** Parts to cut a submit of `dispatches` into that takes `ms` milliseconds (NaN: not known). */
export function partsFor(ms: number, dispatches: number): number {
  if (Number.isNaN(ms)) return Math.ceil(dispatches / UNKNOWN_PART);
  return ms > LONG_MS ? Math.min(dispatches, Math.ceil(ms / PART_MS)) : 1;
}

/**
 * GPU time a dispatch of what is submitted with this program first, milliseconds; and when it was
 * measured.
 */
interface Pace {
  ms: number;
  measured: number;
}
const paces = new WeakMap<Program, Pace>();
/** When the submit before was done, if that was observed. */
let before: Promise<number> | null = null;

/**
 * Runs items in order, in one submit on WebGPU, or in as many as `parts` says (by default: as many
 * as their time asks for).
 */
export function submit(items: readonly SubmitItem[], parts?: number): void {
  const programs = items.filter((i) => 'run' in i);
  const [first] = programs;
  const begin = performance.now();
  if (items.length === 0) return;
  if (programs.some((p) => !p.encode)) {
    for (const p of programs) p.run();
    encodeMs += performance.now() - begin;
    return;
  }
  flushTfjs(webgpu().backend);
  const total = programs.reduce((n, p) => n + (p.dispatches ?? 0), 0);
  const pace = first ? paceOf(first) : null;
  send(
    items,
    total,
    Math.ceil(total / Math.max(1, parts ?? (pace ? partsFor(pace.ms * total, total) : 1))),
  );
  encodeMs += performance.now() - begin;
  if (pace) observe(pace, begin, total);
}

/**
 * Submits after every `most` dispatches, but the last ones together with the copies that follow.
 */
function send(items: readonly SubmitItem[], total: number, most: number): void {
  const { device } = webgpu();
  let encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
  let done = 0;
  let room = most;
  const endPass = (): void => {
    pass?.end();
    pass = null;
  };
  const flush = (): void => {
    endPass();
    device.queue.submit([encoder.finish()]);
    submits++;
  };
  for (const item of items) {
    if ('copy' in item) {
      endPass();
      encoder.copyBufferToBuffer(
        item.copy.buffer,
        item.copy.offset,
        item.to.buffer,
        item.to.offset,
        item.copy.size,
      );
      continue;
    }
    const { encode } = item;
    const n = item.dispatches ?? 0;
    for (let from = 0; encode && from < n;) {
      if (room === 0) {
        flush();
        encoder = device.createCommandEncoder();
        room = most;
      }
      const to = Math.min(n, from + room);
      encode((pass ??= encoder.beginComputePass()), from, to);
      room -= to - from;
      done += to - from;
      from = to;
    }
  }
  if (done !== total) throw new Error(`${total - done} of ${total} dispatches were left out.`);
  flush();
}

function paceOf(program: Program): Pace {
  let pace = paces.get(program);
  if (!pace) paces.set(program, (pace = { ms: NaN, measured: -Infinity }));
  return pace;
}

/**
 * Now and then two submits in a row are watched: the second took from when it was sent, or the
 * first was done, until it was done itself. A very first one is taken as it is: nothing is known of
 * it otherwise.
 */
function observe(pace: Pace, sent: number, dispatches: number): void {
  const earlier = before;
  const due = sent - pace.measured > MEASURE_EVERY_MS;
  before = null;
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
  if (!earlier) before = done;
}
