/**
 * Sends programs to the GPU, in one submit or in several if one would take too long; runs them on
 * the processor.
 */
import { observe, paceOf, partsFor } from './pace.ts';
import { addressOf, gpuBuffer } from './buffer_range.ts';
import type { Copy, Program, SubmitItem } from './program_types.ts';
import { onProcessor, processor, webgpu } from './state.ts';
import { flushTfjs } from './tfjs_private.ts';

let submits = 0;
let encodeMs = 0;

/**
 * Number of submits of replayed programs, and milliseconds of JavaScript spent to encode them or,
 * op by op, to run their functions.
 */
export function submitStatistics(): { submits: number; encodeMs: number } {
  return { submits, encodeMs };
}

/** The commands [from, to) of a program. */
export interface Span {
  program: Program;
  from: number;
  to: number;
}

/** What a submit is encoded from. */
export type Work = Span | Copy;

/**
 * Runs the items in order, in one submit on WebGPU. `parts` sets the number of submits; by default
 * it follows from the measured time. Throws if a program has boundaries.
 */
export function submit(items: readonly SubmitItem[], parts?: number): void {
  submitWork(
    items.map((item): Work => {
      if (!('run' in item)) return item;
      if (item.boundaries.length > 0)
        throw new Error(`The program ${item.name} has boundaries: run it by submitWithBoundaries.`);
      return { program: item, from: 0, to: item.dispatches ?? 0 };
    }),
    parts,
  );
}

/** `submit` for parts of programs. Programs that run op by op always run as a whole. */
export function submitWork(work: readonly Work[], parts?: number): void {
  if (work.length === 0) return;
  const begin = performance.now();
  const spans = work.filter((one): one is Span => 'program' in one);
  const programs = spans.map((span) => span.program);
  if (onProcessor()) {
    for (const one of work) executeOnProcessor(one);
    encodeMs += performance.now() - begin;
    return;
  }
  if (programs.some((program) => !program.encode)) {
    for (const program of programs) program.run();
    encodeMs += performance.now() - begin;
    return;
  }
  flushTfjs(webgpu().backend);
  const total = spans.reduce((sum, { from, to }) => sum + to - from, 0);
  const pace = programs[0] ? paceOf(programs[0]) : null;
  const cuts = parts ?? (pace ? partsFor(pace.ms * total, total) : 1);
  encodeAndSubmit(work, Math.ceil(total / Math.max(1, cuts)));
  encodeMs += performance.now() - begin;
  if (pace) observe(pace, begin, total);
}

/** Runs a program, or a part of one, and returns when it is done. */
function executeOnProcessor(one: Work): void {
  if ('copy' in one) {
    const { engine } = processor();
    const from = engine.bytes(addressOf(one.copy), one.copy.size);
    engine.bytes(addressOf(one.to), one.copy.size).set(from);
    return;
  }
  if (one.program.execute) one.program.execute(one.from, one.to);
  else one.program.run();
}

/**
 * Submits after every `most` dispatches. Copies that follow the last dispatch are in the same
 * submit as it is.
 */
function encodeAndSubmit(work: readonly Work[], most: number): void {
  const { device } = webgpu();
  let encoder = device.createCommandEncoder();
  let pass: GPUComputePassEncoder | null = null;
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
  for (const one of work) {
    if ('copy' in one) {
      endPass();
      copyRange(encoder, one);
      continue;
    }
    let { from } = one;
    while (from < one.to) {
      if (room === 0) {
        flush();
        encoder = device.createCommandEncoder();
        room = most;
      }
      const to = Math.min(one.to, from + room);
      pass ??= encoder.beginComputePass();
      one.program.encode?.(pass, from, to);
      room -= to - from;
      from = to;
    }
  }
  flush();
}

function copyRange(encoder: GPUCommandEncoder, { copy, to }: Copy): void {
  encoder.copyBufferToBuffer(
    gpuBuffer(copy.buffer),
    copy.offset,
    gpuBuffer(to.buffer),
    to.offset,
    copy.size,
  );
}
