/** Measures how many threads are fastest on this machine. */
import type { Block } from './heap.ts';
import { commandBytes, type Engine } from './engine.ts';

/** Values that one command changes: enough chunks for sixteen threads. */
const VALUES = 64 * 8192;
const COMMANDS = 4;
/** Runs of each number of threads, of which the fastest counts: other programs only add to it. */
const RUNS = 4;
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

function measuredList(engine: Engine): MeasuredList {
  const { heap, memory } = engine;
  const target = heap.allocateZeros(4 * VALUES);
  const source = heap.allocateZeros(4 * VALUES);
  const command = commandBytes(3);
  const list = heap.allocate(COMMANDS * command);
  const words = new Uint32Array(memory.buffer, list.address, (COMMANDS * command) / 4);
  const add = [engine.kernel('add_in_place'), command, target.address, source.address, VALUES];
  for (let i = 0; i < COMMANDS; i++) words.set(add, (i * command) / 4);
  const end = list.address + COMMANDS * command;
  return { begin: list.address, end, blocks: [target, source, list] };
}
