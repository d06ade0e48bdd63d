/**
 * 10,000 seeded mutations of each reader's input. Each is read or causes a CheckpointError, takes not
 * much longer than an intact input, and allocates arrays of at most twice its own size.
 */
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Parent } from '../common/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { CheckpointError } from './error.ts';
import { hfConfig } from './hf_config.ts';
import { modelFromHfConfig } from './hf_import.ts';
import { encodeJson, parseJson } from './json.ts';
import { readLineage, writeLineage } from './lineage.ts';
import { metricLines, parseMetricLines, resumeLine } from './metric_columns.ts';
import { readSafetensors, readTensor } from './safetensors.ts';
import {
  LAYOUTS,
  rawSafetensors,
  seeded,
  SPECIAL,
  tinyModel,
  tinyState,
} from './testing_states.ts';
import { readTrainingState } from './training_state.ts';
import { unzipFolder } from './unzip.ts';
import { zipFolder } from './zip.ts';

const MUTATIONS = 10_000;
type Random = () => number;
type Mutation = (bytes: Uint8Array, random: Random) => Uint8Array;

const below = (random: Random, n: number) => Math.floor(random() * n);
const pick = <T>(random: Random, list: readonly T[], otherwise: T): T =>
  list[below(random, list.length)] ?? otherwise;
const join = (...parts: Uint8Array[]) => {
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

const mutateBytes: Mutation = (bytes, random) => {
  let out = bytes;
  for (let i = 0; i <= below(random, 3) && out.length > 16; i++) {
    out = pick(random, byteMutations, unchanged)(out, random);
  }
  return out;
};

const mutateText: Mutation = (bytes, random) => {
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

beforeAll(() => {
  // Builds the table of float16 values, which stays allocated.
  readTensor({ name: 'x', file: 'x', dtype: 'F16', shape: [1], bytes: new Uint8Array(2) });
  for (const Original of [Uint8Array, Uint32Array, Float32Array, Float64Array]) {
    vi.stubGlobal(Original.name, counting(Original));
  }
});
afterAll(() => void vi.unstubAllGlobals());

/** Inputs with the longest times that are measured again. */
const SLOWEST = 8;
const REPEATS = 7;

interface FuzzCase {
  seed: number;
  originals: readonly Uint8Array[];
  mutate: Mutation;
  read: (bytes: Uint8Array) => unknown;
}

interface FuzzResult {
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

function fuzz({ seed, originals, mutate, read }: FuzzCase): FuzzResult {
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
    slowest.push({ bytes, ms: performance.now() - start });
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

/**
 * Limit on `slowdown`. Originals take below a millisecond on an idle machine, so this is far below
 * the second that a user would notice.
 */
const MAX_SLOWDOWN = 40;

const fileOf = (files: ReadonlyMap<string, Uint8Array>, path: string): Uint8Array =>
  files.get(path) ?? new Uint8Array();

describe('10,000 mutations', () => {
  const float16File = (dtype: string, rows: number) =>
    rawSafetensors(
      JSON.stringify({
        a: { dtype, shape: [rows, 2], data_offsets: [0, 4 * rows] },
        b: { dtype, shape: [2], data_offsets: [4 * rows, 4 * rows + 4] },
      }),
      new Uint8Array(4 * rows + 4).fill(0x3c),
    );
  const weightsOf = (name: string) => {
    const state = tinyState({ ...LAYOUTS[name], n_layer: 1, n_embd: 8, n_inner: 8 });
    return fileOf(writeCheckpoint(state), 'model.safetensors');
  };
  const mutateHeader: Mutation = (bytes, random) => {
    if (random() < 0.4) return mutateBytes(bytes, random);
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = mutateText(bytes.subarray(8, 8 + length), random);
    const out = join(bytes.subarray(0, 8), header, bytes.subarray(8 + length));
    new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
    return out;
  };
  /** Half of the mutations are in the directory at the end, which describes the structure. */
  const mutateDirectory: Mutation = (bytes, random) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    const start = random() < 0.5 ? 0 : view.getUint32(bytes.length - 6, true);
    return join(bytes.subarray(0, start), mutateBytes(bytes.subarray(start), random));
  };

  it('of safetensors', () => {
    const result = fuzz({
      seed: 1,
      originals: [
        float16File('F16', 40),
        float16File('BF16', 9),
        weightsOf('gpt2'),
        weightsOf('qwen3'),
      ],
      mutate: mutateHeader,
      read: (bytes) => [...readSafetensors(bytes).tensors.values()].map(readTensor),
    });
    const codes = [
      'bad_dtype',
      'bad_header',
      'bad_json',
      'bad_offsets',
      'bad_shape',
      'duplicate_name',
      'forbidden_name',
      'truncated',
    ];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of a zip and the folder in it', () => {
    const files = writeCheckpoint(tinyState({ layout: 'gpt2', n_layer: 1, n_embd: 8, n_inner: 8 }));
    const compressed = zipSync(Object.fromEntries(files), { level: 9 });
    const result = fuzz({
      seed: 2,
      originals: [zipFolder(files, 'run'), compressed],
      mutate: mutateDirectory,
      read: (bytes) => readCheckpoint(unzipFolder(bytes)),
    });
    const codes = ['bad_zip', 'truncated', 'unsafe_path', 'zip_bomb'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    // Unpacked files may have twice the archive's size plus 1 MB, and are decoded to as much again.
    expect(result.excess).toBeLessThan(2 ** 20);
  });

  it('of training_state.json', () => {
    const original = fileOf(writeCheckpoint(tinyState({})), 'training_state.json');
    const result = fuzz({
      seed: 3,
      originals: [original],
      mutate: mutateText,
      read: readTrainingState,
    });
    const codes = ['bad_json', 'bad_state', 'duplicate_name', 'forbidden_name', 'unknown_version'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of lineage.json', () => {
    const parents: Parent[] = [
      { kind: 'run', run: 'b7d1', name: 'calm meeting', step: 500 },
      { kind: 'imported', name: 'gpt2.zip' },
    ];
    const result = fuzz({
      seed: 4,
      originals: [null, ...parents].map((parent) =>
        writeLineage({ objective: 'sft', parent, dataset: 'questions.jsonl' }),
      ),
      mutate: mutateText,
      read: readLineage,
    });
    const codes = ['bad_json', 'bad_state', 'duplicate_name', 'forbidden_name'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of config.json', () => {
    const originals = Object.values(LAYOUTS)
      .slice(0, 8)
      .map((change) => encodeJson(hfConfig(tinyModel(change).model, SPECIAL)));
    const result = fuzz({
      seed: 5,
      originals,
      mutate: mutateText,
      read: (bytes) => modelFromHfConfig(parseJson(bytes, 'config.json')),
    });
    const codes = ['bad_header', 'bad_json', 'forbidden_name', 'unsupported_model'];
    expect(result.codes).toEqual(expect.arrayContaining(codes));
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
  });

  it('of metrics.jsonl', () => {
    const steps = Float64Array.from({ length: 10 }, (_, i) => i);
    const lines = metricLines({ step: steps, loss: steps.map((x) => x / 3), lr: steps });
    const result = fuzz({
      seed: 6,
      originals: [new TextEncoder().encode(lines + resumeLine(5) + lines)],
      mutate: mutateText,
      read: (bytes) => expectIncreasing(parseMetricLines(new TextDecoder().decode(bytes)).step),
    });
    expect(result.readable).toBe(MUTATIONS);
    expect(result.slowdown).toBeLessThan(MAX_SLOWDOWN);
  });
});

function expectIncreasing(steps: Float64Array): void {
  const wrong = steps.findIndex((step, i) => i > 0 && !(step > (steps[i - 1] ?? NaN)));
  if (wrong !== -1) throw new Error(`step ${steps[wrong]} is out of order`);
}

it('the fuzz test counts allocated bytes', () => {
  allocated = 0;
  new Float32Array(10);
  expect(allocated).toBe(40);
});
