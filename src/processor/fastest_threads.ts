/** Measures how many threads are fastest on this machine. */
import type { Block } from './heap.ts';
import { commandBytes, type Engine } from './engine.ts';

/** Sizes of the largest matmul of the smallest preset: C [ROWS, COLUMNS], with sums over STEPS. */
const ROWS = 512;
const COLUMNS = 256;
const STEPS = 64;
/** Matmuls in the list, each followed by an addition of its result: about 2 ms on one thread. */
const PAIRS = 4;
/** Runs for each number of threads. The fastest counts: other programs only slow them down. */
const RUNS = 10;
/**
 * The page is busy while it loads, often with all cores, so more threads are given this many
 * milliseconds to show what they gain, unless they take at most this share of the time earlier.
 */
const PATIENCE_MS = 150;
const CLEAR_GAIN = 0.75;
/** Milliseconds until the browser has optimized its first, quickly compiled code. */
const WARM_MS = 20;
/**
 * More threads are used only if they take at most this share of the time, because the page and
 * other programs need the processor, too.
 */
const GAIN = 0.95;

/**
 * Runs a short list with 1, 2, 4, ... threads, up to `most`, as long as more of them are faster.
 * Logical processors that share a core, and slow cores, often make it no faster. Leaves the engine with the
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
      const ms = timed(engine, list, CLEAR_GAIN * best.ms);
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

/** Milliseconds of one run, the fastest of a few, or of more if none takes at most `enough`. */
function timed(engine: Engine, { begin, end }: MeasuredList, enough = Infinity): number {
  const started = performance.now();
  let fastest = Infinity;
  for (let run = 0; run < RUNS || fastest > enough; run++) {
    const begun = performance.now();
    if (run >= RUNS && begun - started > PATIENCE_MS) break;
    engine.run(begin, end);
    fastest = Math.min(fastest, performance.now() - begun);
  }
  return fastest;
}

/** A list of matmuls and additions, as in a training step. */
function measuredList(engine: Engine): MeasuredList {
  const { heap } = engine;
  const [a, b, c] = [ROWS * STEPS, STEPS * COLUMNS, ROWS * COLUMNS].map((values) =>
    heap.allocateZeros(4 * values),
  );
  if (!a || !b || !c) throw new Error('There are three tensors.');
  // In the order of `readProduct` in assembly/products_state.ts.
  const operands = [c.address, a.address, b.address, 0, 0, 0];
  const product = [engine.kernel('matmul'), ...operands, ROWS, COLUMNS, STEPS, 0, 0, 0];
  const target = heap.allocateZeros(4 * ROWS * COLUMNS);
  const sum = [engine.kernel('add_in_place'), target.address, c.address, ROWS * COLUMNS];
  const commands = Array.from({ length: PAIRS }, () => [product, sum]).flat();
  const { list, bytes } = writeList(engine, commands);
  return { begin: list.address, end: list.address + bytes, blocks: [a, b, c, target, list] };
}

/** Writes commands, each a kernel and its arguments, into a new block. */
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
