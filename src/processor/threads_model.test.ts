/**
 * Every interleaving of two and three threads of assembly/threads.ts, whose source is compiled for a
 * small machine. What other threads can see (an atomic operation, a word of a list) is one step;
 * WebAssembly's atomics are sequentially consistent, so no other orders exist.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compile } from '../testing/interleavings/compile.ts';
import { explore, type Explored } from '../testing/interleavings/explore.ts';
import { Machine, POISON, Violation, type State } from '../testing/interleavings/machine.ts';

const SOURCE = readFileSync('assembly/threads.ts', 'utf8');

/**
 * The kernels, and the functions that the threads run. Each command is the kernel's number, its
 * length in bytes, and its phase. The second list is written over the first one, once that is done.
 */
const PROGRAM = `
function simple(args: usize): void {
  work(load<i32>(args));
}

function twoPhases(args: usize): void {
  work(load<i32>(args));
  barrier();
  work(load<i32>(args) + 1);
}

function work(phase: i32): void {
  const chunks = phase == 1 ? MANY : 1;
  for (let chunk = claim(); chunk < chunks; chunk = claim()) {
    begin(phase, chunk);
    if (TRAPS && !leads) trap();
    finish(phase, chunk);
  }
}

/** As src/processor/thread_worker.ts does when a kernel traps. */
function trap(): void {
  fail(2);
  halt();
}

function leader(): void {
  setThread(THREADS, 0, SPINS);
  command(1, 12, 0);
  run(1000, 1012);
  if (PHASES == 3) secondList();
  stop();
}

function secondList(): void {
  atomic.store(1004, ${POISON});
  run(1000, 1000);
  command(0, 12, 2);
  run(1000, 1012);
}

function command(kernel: i32, length: i32, phase: i32): void {
  atomic.store(1000, kernel);
  atomic.store(1004, length);
  atomic.store(1008, phase);
}

function helper(): void {
  setThread(THREADS, 0, SPINS);
  serve(0);
}
`;
const KERNELS = ['simple', 'twoPhases'];

/** Chunks of each phase of the lists. */
type Work = readonly number[];

/** So many that a number that was not set back is still one of them. */
const LONG: Work = [1, 4, 1];
/** One list, for three threads, whose interleavings are many more. */
const SHORT: Work = [1, 1];

interface Scenario {
  threads: number;
  spins: number;
  work?: Work;
  /** Replacements in the source: [what, by what]. */
  changes?: readonly (readonly [string, string])[];
  mortal?: boolean;
  timeouts?: boolean;
  traps?: boolean;
  atEnd?: (state: State) => void;
}

function replaced(text: string, [what, by]: readonly [string, string]): string {
  if (text.split(what).length !== 2) throw new Error(`Not once in the source: ${what}`);
  return text.replace(what, by);
}

function check({ threads, spins, changes = [], ...options }: Scenario): Explored {
  const work = options.work ?? (threads === 2 ? LONG : SHORT);
  const constants = {
    THREADS: threads,
    SPINS: spins,
    PHASES: work.length,
    MANY: work[1] ?? 1,
    TRAPS: Number(options.traps ?? false),
  };
  const declared = Object.entries(constants).map(([name, value]) => `const ${name} = ${value};\n`);
  const source = changes.reduce(replaced, SOURCE) + declared.join('') + PROGRAM;
  const machine = new Machine(compile(source), KERNELS);
  const helpers = Array.from({ length: threads - 1 }, (_, index) => index + 1);
  const start = machine.start(['leader', ...helpers.map(() => 'helper')], work);
  const { mortal = false, timeouts = false, atEnd = everythingDone } = options;
  return explore({ machine, start, atEnd, timeouts, mortal: mortal ? helpers : [] });
}

function everythingDone({ threads, chunks }: State): void {
  const stuck = threads.findIndex(({ status }) => status !== 'done');
  if (stuck >= 0)
    throw new Violation(`Thread ${stuck} is ${threads[stuck]?.status}, and nobody will wake it.`);
  if (chunks.flat().some((chunk) => chunk !== 2)) throw new Violation('A list was lost.');
}

/** Two looks find what twenty would. */
const FEW_LOOKS = ['const LOOKS: i32 = 20;', 'const LOOKS: i32 = 2;'] as const;
/** Address of the word that says why the threads cannot go on. */
const FAILURE = 448;

/** The leader has finished its lists, or ended because of `reason`; it does not wait. */
function leaderEnds(reason: number): (state: State) => void {
  return ({ threads, words, chunks }) => {
    const [leader] = threads;
    if (leader?.status === 'waiting') throw new Violation('The leader waits forever.');
    const failure = words.get(FAILURE) ?? 0;
    if (leader?.status === 'trapped' && failure !== reason)
      throw new Violation(`The leader ends because of ${failure}.`);
    if (leader?.status === 'done' && chunks.flat().some((chunk) => chunk !== 2))
      throw new Violation('The leader goes on without the result.');
  };
}

describe('the threads of the engine, in every interleaving', () => {
  test.each([
    [2, 0],
    [2, 1],
    [2, 2],
    [3, 0],
  ])('%i threads that poll %i times finish every list', (threads, spins) => {
    const { states, ends, violation } = check({ threads, spins });
    expect(violation).toBeNull();
    expect(ends).toBeGreaterThan(0);
    expect(states).toBeGreaterThan(1000);
  });

  test('the leader ends if a helper is ended at any point', () => {
    const { violation, ends } = check({
      threads: 2,
      spins: 0,
      changes: [FEW_LOOKS],
      mortal: true,
      timeouts: true,
      atEnd: leaderEnds(1),
    });
    expect(violation).toBeNull();
    expect(ends).toBeGreaterThan(10);
  });

  test('the leader ends if a kernel traps in a helper', () => {
    const { violation } = check({
      threads: 2,
      spins: 0,
      changes: [FEW_LOOKS],
      timeouts: true,
      traps: true,
      atEnd: leaderEnds(2),
    });
    expect(violation).toBeNull();
  });
});

/** Mistakes that would be easy to make, each of which the checker must find. */
const MISTAKES: Record<string, { threads?: number; change: readonly [string, string] }> = {
  'the chunks are reset after the generation': {
    change: [
      'atomic.store<i32>(NEXT, 0);\n    atomic.add<i32>(GENERATION, 1);',
      'atomic.add<i32>(GENERATION, 1);\n    atomic.store<i32>(NEXT, 0);',
    ],
  },
  'the arrivals are reset after the generation': {
    change: [
      'atomic.store<i32>(ARRIVED, 0);\n    atomic.store<i32>(NEXT, 0);\n    atomic.add<i32>(GENERATION, 1);',
      'atomic.store<i32>(NEXT, 0);\n    atomic.add<i32>(GENERATION, 1);\n    atomic.store<i32>(ARRIVED, 0);',
    ],
  },
  'sleepers are looked for before the generation changes': {
    change: [
      'atomic.add<i32>(GENERATION, 1);\n    wake(GENERATION);',
      'if (atomic.load<i32>(SLEEPERS) != 0) {\n' +
        '      atomic.add<i32>(GENERATION, 1); atomic.notify(GENERATION, -1);\n' +
        '    } else { atomic.add<i32>(GENERATION, 1); }',
    ],
  },
  'sleepers are looked for before a list is published': {
    change: [
      'atomic.add<i32>(LISTS, 1);\n  wake(LISTS);',
      'const asleep = atomic.load<i32>(SLEEPERS);\n' +
        '  atomic.add<i32>(LISTS, 1);\n  if (asleep != 0) atomic.notify(LISTS, -1);',
    ],
  },
  'a list is published before its address': {
    change: [
      'atomic.store<usize>(LIST_BEGIN, begin);\n  atomic.store<usize>(LIST_END, end);\n  atomic.add<i32>(LISTS, 1);',
      'atomic.add<i32>(LISTS, 1);\n  atomic.store<usize>(LIST_BEGIN, begin);\n  atomic.store<usize>(LIST_END, end);',
    ],
  },
  'the length of a command is read after its barrier': {
    change: ['command = next;', 'command += load<u32>(command, 4);'],
  },
  'an empty list is published': { change: ['if (begin == end) return;\n  if (ASC', 'if (ASC'] },
  'the leader sleeps without a timeout': {
    change: ['atomic.wait<i32>(word, seen, LOOK_EVERY)', 'atomic.wait<i32>(word, seen, -1)'],
  },
  'one sleeper is woken of two': {
    threads: 3,
    change: ['atomic.notify(word, -1)', 'atomic.notify(word, 1)'],
  },
  'the last thread is not waited for': {
    threads: 3,
    change: ['== threadCount - 1', '== threadCount - 2'],
  },
};

describe('the model checker finds that', () => {
  test.each(Object.entries(MISTAKES))('%s', (name, { threads = 2, change }) => {
    const dies = name.includes('timeout');
    const ending = dies ? { mortal: true, timeouts: true, atEnd: leaderEnds(1) } : {};
    const { violation } = check({ threads, spins: 0, changes: [FEW_LOOKS, change], ...ending });
    expect(violation?.message).toBeDefined();
  });
});
