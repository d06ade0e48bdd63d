/** Measures how many threads are fastest on this machine. */
import type { Block } from './heap.ts';
import { commandBytes, type Engine } from './engine.ts';

/** The sizes of the largest product of the smallest preset: C [ROWS, COLUMNS] sums over STEPS. */
const ROWS = 512;
const COLUMNS = 256;
const STEPS = 64;
/** Times that the list has a product, and a sum as long as its result: about 2 ms on one thread. */
const PAIRS = 4;
/** Runs of each number of threads, of which the fastest counts: other programs only add to it. */
const RUNS = 10;
/** Browsers compile quickly first and optimize what is run often, in about this many milliseconds. */
const WARM_MS = 20;
/** A thread more has to pay: the page and other programs need the processor, too. */
const GAIN = 0.95;

/**
 * Runs a short list with 1, 2, 4, ... threads, up to `most`, as long as more of them are faster.
 * Logical processors that share a core, and slow cores, often do not pay. Leaves the engine with the
 * fastest number, and resolves to it.
 */
export async function fastestThreads(engine: Engine, most: number): Promise<number> {
  const list = measuredList(engine);
  try {
    const begun = performance.now();
    while (performance.now() - begun < WARM_MS) engine.run(list.begin, list.end);
    let best = { count: 1, ms: timed(engine, list) };
    for (const count of countsUpTo(most)) {
      if ((await engine.threads.use(count)) !== count) break;
      const ms = timed(engine, list);
      if (ms > GAIN * best.ms) break;
      best = { count, ms };
    }
    return await engine.threads.use(best.count);
  } finally {
    for (const block of list.blocks) block.destroy();
  }
}

/** 2, 4, 8, ... and `most`. */
export function countsUpTo(most: number): number[] {
  const counts: number[] = [];
  for (let count = 2; count < most; count *= 2) counts.push(count);
  return most > 1 ? [...counts, most] : counts;
}

interface MeasuredList {
  begin: number;
  end: number;
  blocks: Block[];
}

/** Milliseconds of one run, the fastest of a few. */
function timed(engine: Engine, { begin, end }: MeasuredList): number {
  let fastest = Infinity;
  for (let run = 0; run < RUNS; run++) {
    const begun = performance.now();
    engine.run(begin, end);
    fastest = Math.min(fastest, performance.now() - begun);
  }
  return fastest;
}

/** Products and sums, as a training step has them. */
function measuredList(engine: Engine): MeasuredList {
  const { heap } = engine;
  const [a, b, c] = [ROWS * STEPS, STEPS * COLUMNS, ROWS * COLUMNS].map((values) =>
    heap.allocateZeros(4 * values),
  );
  if (!a || !b || !c) throw new Error('There are three tensors.');
  // C; A, B, bias, residual, values before an activation; M, N, K, transpose_a, transpose_b, activation.
  const operands = [c.address, a.address, b.address, 0, 0, 0];
  const product = [engine.kernel('matmul'), ...operands, ROWS, COLUMNS, STEPS, 0, 0, 0];
  const target = heap.allocateZeros(4 * ROWS * COLUMNS);
  const sum = [engine.kernel('add_in_place'), target.address, c.address, ROWS * COLUMNS];
  const commands = Array.from({ length: PAIRS }, () => [product, sum]).flat();
  const { list, bytes } = writeList(engine, commands);
  return { begin: list.address, end: list.address + bytes, blocks: [a, b, c, target, list] };
}

/** Commands of kernels and their arguments. */
function writeList(engine: Engine, commands: readonly (readonly number[])[]) {
  const words = commands.flatMap(([kernel = 0, ...args]) => [
    kernel,
    commandBytes(args.length),
    ...args,
  ]);
  const list = engine.heap.allocate(4 * words.length);
  new Uint32Array(engine.memory.buffer, list.address, words.length).set(words);
  return { list, bytes: 4 * words.length };
}
