/**
 * Boundaries: places inside a program at which it waits for a collective, such as an all-reduce
 * over devices. The traced function stays synchronous: on WebGPU and on the processor,
 * `submitWithBoundaries` runs the commands up to each boundary, waits for its collective, and
 * continues. Without boundaries, everything is one submit.
 *
 * A function that runs op by op can't pause. Except on WebGPU, a boundary inside it calls the
 * synchronous form of the collective, `runSync`. Where that is impossible (the collective has none;
 * or op-by-op mode on WebGPU, which has no synchronous readback), the collective must run between
 * two programs: `submitWithBoundaries([forward, { wait }, update])` works everywhere.
 */
import { tensor as makeTensor, type Tensor } from '@tensorflow/tfjs-core';
import type { Collective, PartItem } from './program_types.ts';
import { writeTensor } from './readback.ts';
import { onProcessor, onWebGpu, state } from './state.ts';
import { submitWork, type Work } from './submit.ts';
import { copyValues } from './values.ts';

/**
 * Called inside the function of a program: the collective runs on the tensor here. Returns the
 * tensor that holds the result. On WebGPU and on the processor this is `tensor`, changed in place, so
 * a tensor that no kernel has written (`output`) can be filled by the collective. Elsewhere it is a
 * new tensor, and a Store must take it by `replace`.
 *
 * Throws in op-by-op mode on WebGPU, and on other backends if the collective has no `runSync`.
 */
export function boundary(tensor: Tensor, collective: Collective): Tensor {
  if (state.trace) {
    state.trace.addBoundary(tensor, collective);
    return tensor;
  }
  if (!collective.runSync || onWebGpu())
    throw new Error(
      `The collective ${collective.name} is inside a program that runs op by op and can't wait: ` +
        'run it between two programs.',
    );
  const values = collective.runSync(copyValues(tensor, tensor.dataSync()));
  if (onProcessor()) {
    writeTensor(tensor, values);
    return tensor;
  }
  return makeTensor(values.slice(), tensor.shape, tensor.dtype);
}

interface Part {
  work: Work[];
  /** Runs after the work is submitted. */
  wait: (() => Promise<void> | void) | null;
}

/** Programs with boundaries that are in the middle of a run, and their pools. */
const running = new WeakSet<object>();

/**
 * Runs the items in order, and waits at each boundary of a program and at each `wait` item until
 * its promise resolves; resolves when everything is submitted. Runs of other programs may begin
 * meanwhile. Where nothing waits, this is `submit(items, parts)`, before the function returns;
 * otherwise `parts` applies to what lies between two boundaries.
 *
 * Rejects with the error of a collective, after which nothing more is submitted, and if one of the
 * programs, or another one of its pool, is already waiting at a boundary.
 */
export async function submitWithBoundaries(
  items: readonly PartItem[],
  parts?: number,
): Promise<void> {
  const programs = items.flatMap((item) =>
    'boundaries' in item && item.boundaries.length > 0 ? [item] : [],
  );
  const busy = programs.find((program) => running.has(program));
  if (busy) throw new Error(`The program ${busy.name} is waiting at a boundary of another run.`);
  const sharing = programs.find(({ pool }) => pool && running.has(pool));
  if (sharing)
    throw new Error(`The program ${sharing.name} shares its memory with one that is waiting.`);
  const held = programs.flatMap((program) => [program, program.pool ?? program]);
  for (const one of held) running.add(one);
  try {
    for (const { work, wait } of cutAtBoundaries(items)) {
      submitWork(work, parts);
      if (wait) await wait();
    }
  } finally {
    for (const one of held) running.delete(one);
  }
}

function cutAtBoundaries(items: readonly PartItem[]): Part[] {
  let current: Part = { work: [], wait: null };
  const parts = [current];
  const cut = (wait: () => Promise<void> | void): void => {
    current.wait = wait;
    current = { work: [], wait: null };
    parts.push(current);
  };
  for (const item of items) {
    if ('wait' in item) {
      cut(item.wait);
      continue;
    }
    if ('copy' in item) {
      current.work.push(item);
      continue;
    }
    let from = 0;
    for (const { command, tensor, collective } of item.boundaries) {
      if (command > from) current.work.push({ program: item, from, to: command });
      cut(() => collective.run(tensor));
      from = command;
    }
    const end = item.dispatches ?? 0;
    if (end > from || item.boundaries.length === 0)
      current.work.push({ program: item, from, to: end });
  }
  return parts;
}
