/**
 * 10,000 seeded mutations of each reader's input: it reads or throws a CheckpointError, within a
 * second, and the arrays that it makes hold no more than twice the file.
 */
import { zipSync } from 'fflate';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { CheckpointError } from './error.ts';
import { hfConfig } from './hf_config.ts';
import { modelFromHfConfig } from './hf_import.ts';
import { encodeJson, parseJson } from './json.ts';
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
  const out = new Uint8Array(parts.reduce((n, p) => n + p.length, 0));
  let at = 0;
  for (const p of parts) {
    out.set(p, at);
    at += p.length;
  }
  return out;
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
  (b, r) => {
    const c = b.slice();
    const at = below(r, b.length);
    c[at] = (c[at] ?? 0) ^ (1 << below(r, 8));
    return c;
  },
  (b, r) => {
    const c = b.slice();
    const at = below(r, b.length);
    for (let i = 0; i < 8 && at + i < c.length; i++) c[at + i] = below(r, 256);
    return c;
  },
  (b, r) => {
    const c = b.slice();
    const magic = pick(r, MAGIC, []);
    c.set(magic, below(r, b.length - 8));
    return c;
  },
  (b, r) => b.slice(0, below(r, b.length)),
  (b, r) => b.slice(below(r, b.length)),
  (b, r) => {
    const at = below(r, b.length);
    const n = below(r, 32);
    return join(b.subarray(0, at), b.subarray(at + n));
  },
  (b, r) => {
    const at = below(r, b.length);
    const from = below(r, b.length);
    const n = below(r, 64);
    return join(b.subarray(0, at), b.subarray(from, from + n), b.subarray(at));
  },
  (b, r) =>
    join(
      b,
      Uint8Array.from({ length: below(r, 64) }, () => below(r, 256)),
    ),
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
const textMutations: ((text: string, random: Random) => string)[] = [
  (t, r) =>
    replaceOne(t, /(?<=:\s*)(-?\d[\d.e+-]*|true|false|null|"[^"]*")/g, pick(r, VALUES, '0'), r),
  (t, r) => replaceOne(t, /"[^"]*"(?=\s*:)/g, `"${pick(r, NAMES, 'a')}"`, r),
  (t, r) =>
    replaceOne(t, /[{}[\],:"]/g, pick(r, ['', '{', '}', '[', ']', ',', ':', '"', '\\'], ''), r),
  (t, r) => replaceOne(t, /\{/g, `{"${pick(r, NAMES, 'a')}": ${pick(r, VALUES, '0')}, `, r),
  (t, r) => replaceOne(t, /\d/g, String(below(r, 10)), r),
];

function replaceOne(text: string, pattern: RegExp, by: string, random: Random): string {
  const hits = [...text.matchAll(pattern)];
  const hit = hits[below(random, hits.length)];
  return hit ? text.slice(0, hit.index) + by + text.slice(hit.index + hit[0].length) : text;
}

const mutateBytes: Mutation = (b, r) => {
  let out = b;
  for (let i = 0; i <= below(r, 3) && out.length > 16; i++)
    out = pick(r, byteMutations, (x) => x)(out, r);
  return out;
};
const mutateText: Mutation = (b, r) => {
  if (r() < 0.2) return mutateBytes(b, r);
  let text = new TextDecoder().decode(b);
  for (let i = 0; i <= below(r, 3); i++) text = pick(r, textMutations, (x) => x)(text, r);
  return new TextEncoder().encode(text);
};

/** Bytes of the arrays made since it was last set to 0; views of other arrays do not count. */
let made = 0;
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
      if (typeof args[0] === 'number') made += array.byteLength;
      return array;
    },
  });
}

beforeAll(() => {
  readTensor({ name: 'x', file: 'x', dtype: 'F16', shape: [1], bytes: new Uint8Array(2) }); // Makes the table of halves.
  for (const Original of [Uint8Array, Uint32Array, Float32Array, Float64Array]) {
    vi.stubGlobal(Original.name, counting(Original));
  }
});
afterAll(() => void vi.unstubAllGlobals());

/**
 * Runs the mutations and returns how many read, how many threw which code, the slowest in ms and
 * the largest use of memory beyond twice the file.
 */
function fuzz(
  seed: number,
  originals: readonly Uint8Array[],
  mutate: Mutation,
  read: (bytes: Uint8Array) => unknown,
) {
  const random = seeded(seed);
  const codes = new Map<string, number>();
  let readable = 0;
  let slowest = 0;
  let excess = -Infinity;
  for (let i = 0; i < MUTATIONS; i++) {
    const bytes = mutate(pick(random, originals, new Uint8Array(64)), random);
    const start = performance.now();
    made = 0;
    try {
      read(bytes);
      readable++;
    } catch (error) {
      if (!(error instanceof CheckpointError))
        throw new Error(`mutation ${i} of seed ${seed} threw ${String(error)}`, { cause: error });
      if (error.message.length > 400 || !error.message.endsWith('.'))
        throw new Error(`mutation ${i} of seed ${seed} has no plain sentence: ${error.message}`, {
          cause: error,
        });
      codes.set(error.code, (codes.get(error.code) ?? 0) + 1);
    }
    slowest = Math.max(slowest, performance.now() - start);
    excess = Math.max(excess, made - 2 * bytes.length);
  }
  return { readable, codes: [...codes.keys()].sort(), slowest, excess };
}

describe('10,000 mutations', () => {
  const half = (dtype: string, n: number) =>
    rawSafetensors(
      JSON.stringify({
        a: { dtype, shape: [n, 2], data_offsets: [0, 4 * n] },
        b: { dtype, shape: [2], data_offsets: [4 * n, 4 * n + 4] },
      }),
      new Uint8Array(4 * n + 4).fill(0x3c),
    );
  const weights = (name: string) =>
    writeCheckpoint(tinyState({ ...LAYOUTS[name], n_layer: 1, n_embd: 8, n_inner: 8 })).get(
      'model.safetensors',
    ) ?? new Uint8Array();
  const headerOnly: Mutation = (bytes, random) => {
    if (random() < 0.4) return mutateBytes(bytes, random);
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
    const header = mutateText(bytes.subarray(8, 8 + length), random);
    const out = join(bytes.subarray(0, 8), header, bytes.subarray(8 + length));
    new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
    return out;
  };

  it('of safetensors', () => {
    const result = fuzz(
      1,
      [half('F16', 40), half('BF16', 9), weights('gpt2'), weights('qwen3')],
      headerOnly,
      (bytes) => [...readSafetensors(bytes).tensors.values()].map(readTensor),
    );
    expect(result.codes).toEqual(
      expect.arrayContaining([
        'bad_dtype',
        'bad_header',
        'bad_json',
        'bad_offsets',
        'bad_shape',
        'duplicate_name',
        'forbidden_name',
        'truncated',
      ]),
    );
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowest).toBeLessThan(1000);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of zip, and of the folder inside', () => {
    const files = writeCheckpoint(tinyState({ layout: 'gpt2', n_layer: 1, n_embd: 8, n_inner: 8 }));
    const packed = zipSync(Object.fromEntries(files), { level: 9 });
    const list: Mutation = (bytes, random) => {
      // Half of the mutations go to the list of files at the end, where the structure is.
      const at =
        random() < 0.5
          ? 0
          : new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 6, true);
      return join(bytes.subarray(0, at), mutateBytes(bytes.subarray(at), random));
    };
    const result = fuzz(2, [zipFolder(files, 'run'), packed], list, (bytes) =>
      readCheckpoint(unzipFolder(bytes)),
    );
    expect(result.codes).toEqual(
      expect.arrayContaining(['bad_zip', 'truncated', 'unsafe_path', 'zip_bomb']),
    );
    expect(result.slowest).toBeLessThan(1000);
    // Unpacked files may have twice the archive and a megabyte, and the weights in them once more.
    expect(result.excess).toBeLessThan(2 ** 20);
  });

  it('of training_state.json', () => {
    const state = writeCheckpoint(tinyState({})).get('training_state.json') ?? new Uint8Array();
    const result = fuzz(3, [state], mutateText, readTrainingState);
    expect(result.codes).toEqual(
      expect.arrayContaining([
        'bad_json',
        'bad_state',
        'duplicate_name',
        'forbidden_name',
        'unknown_version',
      ]),
    );
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowest).toBeLessThan(1000);
    expect(result.excess).toBeLessThanOrEqual(0);
  });

  it('of config.json', () => {
    const originals = Object.values(LAYOUTS)
      .slice(0, 8)
      .map((change) => encodeJson(hfConfig(tinyModel(change).model, SPECIAL)));
    const result = fuzz(5, originals, mutateText, (bytes) =>
      modelFromHfConfig(parseJson(bytes, 'config.json')),
    );
    expect(result.codes).toEqual(
      expect.arrayContaining(['bad_header', 'bad_json', 'forbidden_name', 'unsupported_model']),
    );
    expect(result.readable).toBeGreaterThan(100);
    expect(result.slowest).toBeLessThan(1000);
  });
});

it('the count of memory counts', () => {
  made = 0;
  new Float32Array(10);
  expect(made).toBe(40);
});
