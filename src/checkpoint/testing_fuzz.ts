/**
 * Fuzzing of readers: seeded mutations of their inputs, and what reading them takes. Imported only by
 * tests.
 */
import { afterAll, beforeAll, vi } from 'vitest';
import { CheckpointError } from './error.ts';
import { readTensor } from './safetensors.ts';
import { seeded } from './testing_states.ts';

export const MUTATIONS = 10_000;
export type Random = () => number;
export type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

export const below = (random: Random, n: number) => Math.floor(random() * n);
export const pick = <T>(random: Random, list: readonly T[], otherwise: T): T =>
  list[below(random, list.length)] ?? otherwise;
export const join = (...parts: Uint8Array[]) => {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let end = 0;
  for (const part of parts) {
    joined.set(part, end);
    end += part.length;
  }
  return joined;
};

const MAGIC = [
  [0xff, 0xff, 0xff, 0xff],
  [0, 0, 0, 0],
  [0xff, 0xff, 0xff, 0x7f],
  [0, 0, 0, 0x80],
  [0x80, 2],
  [0x50, 0x4b, 5, 6],
  [0xff],
  [0],
  [0xed, 0xa0, 0x80],
];
const byteMutations: Mutation[] = [
  function flipBit(bytes, random) {
    const copy = bytes.slice();
    const at = below(random, bytes.length);
    copy[at] = (copy[at] ?? 0) ^ (1 << below(random, 8));
    return copy;
  },
  function overwriteAtRandom(bytes, random) {
    const copy = bytes.slice();
    const at = below(random, bytes.length);
    for (let i = 0; i < 8 && at + i < copy.length; i++) copy[at + i] = below(random, 256);
    return copy;
  },
  function writeMagic(bytes, random) {
    const copy = bytes.slice();
    const magic = pick(random, MAGIC, []);
    copy.set(magic, below(random, bytes.length - 8));
    return copy;
  },
  (bytes, random) => bytes.slice(0, below(random, bytes.length)),
  (bytes, random) => bytes.slice(below(random, bytes.length)),
  function removePart(bytes, random) {
    const at = below(random, bytes.length);
    const length = below(random, 32);
    return join(bytes.subarray(0, at), bytes.subarray(at + length));
  },
  function repeatPart(bytes, random) {
    const at = below(random, bytes.length);
    const from = below(random, bytes.length);
    const length = below(random, 64);
    return join(bytes.subarray(0, at), bytes.subarray(from, from + length), bytes.subarray(at));
  },
  function addAtRandom(bytes, random) {
    const more = Uint8Array.from({ length: below(random, 64) }, () => below(random, 256));
    return join(bytes, more);
  },
];

const VALUES = [
  '0',
  '-1',
  '1.5',
  '1e999',
  '-1e999',
  '1e-400',
  '4294967296',
  '9007199254740993',
  '18446744073709551616',
  'null',
  'true',
  '""',
  '"F64"',
  '"x"',
  '[]',
  '{}',
  '[[[[]]]]',
  '{"__proto__":{"x":1}}',
  'NaN',
  `"${'x'.repeat(5000)}"`,
  `${'['.repeat(200)}${']'.repeat(200)}`,
];
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'step',
  'version',
  'a',
  '',
  '\\u005f_proto__',
  '\\ud800',
  'hasOwnProperty',
  'length',
];
const SCALAR = /(?<=:\s*)(-?\d[\d.e+-]*|true|false|null|"[^"]*")/g;
const KEY = /"[^"]*"(?=\s*:)/g;
const PUNCTUATION = ['', '{', '}', '[', ']', ',', ':', '"', '\\'];

const textMutations: ((text: string, random: Random) => string)[] = [
  (text, random) => replaceOne(text, SCALAR, pick(random, VALUES, '0'), random),
  (text, random) => replaceOne(text, KEY, `"${pick(random, NAMES, 'a')}"`, random),
  (text, random) => replaceOne(text, /[{}[\],:"]/g, pick(random, PUNCTUATION, ''), random),
  function addEntry(text, random) {
    const entry = `{"${pick(random, NAMES, 'a')}": ${pick(random, VALUES, '0')}, `;
    return replaceOne(text, /\{/g, entry, random);
  },
  (text, random) => replaceOne(text, /\d/g, String(below(random, 10)), random),
];

/** Replaces one of the matches of `pattern`. */
function replaceOne(text: string, pattern: RegExp, by: string, random: Random): string {
  const matches = [...text.matchAll(pattern)];
  const match = matches[below(random, matches.length)];
  if (!match) return text;
  return text.slice(0, match.index) + by + text.slice(match.index + match[0].length);
}

const unchanged: Mutation = (bytes) => bytes;

export const mutateBytes: Mutation = (bytes, random) => {
  let out = bytes;
  for (let i = 0; i <= below(random, 3) && out.length > 16; i++) {
    out = pick(random, byteMutations, unchanged)(out, random);
  }
  return out;
};

export const mutateText: Mutation = (bytes, random) => {
  if (random() < 0.2) return mutateBytes(bytes, random);
  let text = new TextDecoder().decode(bytes);
  for (let i = 0; i <= below(random, 3); i++) {
    text = pick(random, textMutations, (same: string) => same)(text, random);
  }
  return new TextEncoder().encode(text);
};

/** Bytes of the arrays allocated since it was last set to 0, without views of other arrays. */
let allocated = 0;
function counting<
  T extends
    | Uint8ArrayConstructor
    | Uint32ArrayConstructor
    | Float32ArrayConstructor
    | Float64ArrayConstructor,
>(Original: T): T {
  return new Proxy(Original, {
    construct(target, args: unknown[], newTarget) {
      const array: unknown = Reflect.construct(target, args, newTarget);
      if (!ArrayBuffer.isView(array)) throw new Error('not an array');
      if (typeof args[0] === 'number') allocated += array.byteLength;
      return array;
    },
  });
}

export function countAllocations(): void {
  beforeAll(() => {
    // Builds the table of float16 values, which stays allocated.
    readTensor({ name: 'x', file: 'x', dtype: 'F16', shape: [1], bytes: new Uint8Array(2) });
    for (const Original of [Uint8Array, Uint32Array, Float32Array, Float64Array]) {
      vi.stubGlobal(Original.name, counting(Original));
    }
  });
  afterAll(() => void vi.unstubAllGlobals());
}

/** Bytes of the arrays that an action allocates. */
export function allocatedBy(action: () => void): number {
  allocated = 0;
  action();
  return allocated;
}

/** What was tried in this file of tests, for the table in README.md. */
const tries = { count: 0, longest: 0, memory: 0 };

/** Counts an input that was read or refused in `ms` milliseconds. */
export function countTry(ms: number): void {
  tries.count++;
  tries.longest = Math.max(tries.longest, ms);
  if (tries.count % 1000 === 0)
    tries.memory = Math.max(tries.memory, process.memoryUsage().heapUsed);
}

/** Prints what was tried if FUZZ_REPORT is set. A crash fails the test before. */
export function reportTries(what: string): void {
  afterAll(() => {
    if (!process.env.FUZZ_REPORT) return;
    const { count, longest, memory } = tries;
    const seconds = (longest / 1000).toFixed(2);
    const megabytes = Math.round(memory / 2 ** 20);
    console.log(
      `${what} tried: ${count}, crashed: 0, longest: ${seconds} s, memory: ${megabytes} MB`,
    );
  });
}

/** Inputs with the longest times that are measured again. */
const SLOWEST = 8;
const REPEATS = 7;

export interface FuzzCase {
  seed: number;
  originals: readonly Uint8Array[];
  mutate: Mutation;
  read: (bytes: Uint8Array) => unknown;
}

export interface FuzzResult {
  readable: number;
  /** Codes of the errors, sorted. */
  codes: string[];
  /**
   * Time of the slowest mutation over that of the slowest original, each the shortest of several
   * measurements: other processes change a single measurement, but not these.
   */
  slowdown: number;
  /** Most bytes allocated beyond twice the input. */
  excess: number;
}

export function fuzz({ seed, originals, mutate, read }: FuzzCase): FuzzResult {
  const random = seeded(seed);
  const codes = new Set<string>();
  let slowest: { bytes: Uint8Array; ms: number }[] = [];
  let readable = 0;
  let excess = -Infinity;
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = mutate(pick(random, originals, new Uint8Array(64)), random);
    const start = performance.now();
    allocated = 0;
    const code = codeOfRead(bytes, read, `mutation ${i} of seed ${seed}`);
    const ms = performance.now() - start;
    countTry(ms);
    slowest.push({ bytes, ms });
    if (slowest.length > 100) slowest = slowestOf(slowest);
    excess = Math.max(excess, allocated - 2 * bytes.length);
    if (code === null) readable++;
    else codes.add(code);
  }
  const shortest = (bytes: Uint8Array) => shortestTime(bytes, read);
  const mutated = Math.max(...slowestOf(slowest).map(({ bytes }) => shortest(bytes)));
  const slowdown = mutated / Math.max(...originals.map(shortest));
  return { readable, codes: [...codes].sort(), slowdown, excess };
}

const slowestOf = <T extends { ms: number }>(list: readonly T[]): T[] =>
  [...list].sort((a, b) => b.ms - a.ms).slice(0, SLOWEST);

function shortestTime(bytes: Uint8Array, read: (bytes: Uint8Array) => unknown): number {
  let shortest = Infinity;
  for (let i = 0; i < REPEATS; i++) {
    const start = performance.now();
    codeOfRead(bytes, read, 'repeated mutation');
    shortest = Math.min(shortest, performance.now() - start);
  }
  return shortest;
}

/** The code of the CheckpointError, or null if the input is readable. Throws for other errors. */
function codeOfRead(
  bytes: Uint8Array,
  read: (bytes: Uint8Array) => unknown,
  label: string,
): string | null {
  try {
    read(bytes);
    return null;
  } catch (cause) {
    if (!(cause instanceof CheckpointError)) {
      throw new Error(`${label} threw ${String(cause)}`, { cause });
    }
    if (cause.message.length > 400 || !cause.message.endsWith('.')) {
      throw new Error(`${label} has no plain sentence: ${cause.message}`, { cause });
    }
    return cause.code;
  }
}
