/**
 * 10,000 seeded mutations of what a run keeps beside its weights, and of its tokenizer: moments,
 * metrics, patterns that backtrack, and deep nesting. Each is read or refused with a sentence, within
 * 5 seconds and 512 MB.
 */
import { describe, expect, it, vi } from 'vitest';
import { DataError, importTokenizer } from '../data/index.ts';
import { readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { CheckpointError } from './error.ts';
import { encodeJson, parseJson } from './json.ts';
import { parseMetricLines } from './metric_columns.ts';
import {
  countTry,
  fuzz,
  join,
  mutateText,
  MUTATIONS,
  pick,
  reportTries,
  type Random,
} from './testing_fuzz.ts';
import { seeded, tinyState, tinyTokenizer } from './testing_states.ts';
import { tokenizerFacts } from './tokenizer_files.ts';

reportTries('hostile files of runs and tokenizers');

const MAX_SECONDS = 5;
const MAX_BYTES = 512 * 2 ** 20;
const below = (random: Random, n: number) => Math.floor(random() * n);
const encode = (text: string) => new TextEncoder().encode(text);

/** Parts of patterns. Many of their combinations backtrack exponentially, some are no patterns. */
const ATOMS = [
  'a',
  '[a-f]',
  '\\w',
  '\\s',
  '\\p{L}',
  '[\\s\\S]',
  '.',
  '(?!b)',
  '(?=a+)',
  '(?<=a)',
  '^',
  '$',
];
const REPEATS = ['', '', '+', '*', '?', '+?', '*?', '{2,}', '{1,3}', '{50}', '++'];

function randomPattern(random: Random, depth = 0): string {
  const count = 1 + below(random, 3);
  const parts = Array.from({ length: count }, () => {
    const isGroup = depth < 4 && random() < 0.4;
    const atom = isGroup ? `(${randomPattern(random, depth + 1)})` : pick(random, ATOMS, 'a');
    return atom + pick(random, REPEATS, '');
  });
  return parts.join(random() < 0.3 ? '|' : '');
}

const TEXT = `${'a cab faced a fad, bead by bead\n'.repeat(20)}${'a'.repeat(200)} ${' '.repeat(90)}Z`;

/** A small tokenizer that only the library reads, with a random pattern in one of its parts. */
function randomTokenizer(random: Random): Uint8Array {
  const pattern = { Regex: randomPattern(random) };
  const replace = { type: 'Replace', pattern, content: 'b'.repeat(below(random, 20)) };
  const split = { type: 'Split', pattern, behavior: 'Isolated', invert: random() < 0.5 };
  const inNormalizer = random() < 0.3;
  const normalizers = Array.from({ length: 1 + below(random, 4) }, () => replace);
  return encodeJson({
    added_tokens: [],
    normalizer: inNormalizer ? { type: 'Sequence', normalizers } : null,
    pre_tokenizer: inNormalizer ? null : split,
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', unk_token: 'a', vocab: tinyTokenizer.model.vocab, merges: [] },
  });
}

/** Resolves to whether the file was read. Throws for anything that is no plain refusal. */
async function isEncoded(bytes: Uint8Array): Promise<boolean> {
  try {
    const read = await importTokenizer(bytes);
    read.encode(TEXT);
    return true;
  } catch (error) {
    if (!(error instanceof DataError)) throw error;
    return false;
  }
}

describe('10,000 mutations', () => {
  it('of patterns in a tokenizer.json', async () => {
    // The library warns on the console about what it does not know.
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const random = seeded(11);
    let encoded = 0;
    for (let i = 0; i < MUTATIONS; i++) {
      const file = randomTokenizer(random);
      const bytes = random() < 0.2 ? mutateText(file, random) : file;
      const before = process.cpuUsage();
      if (await isEncoded(bytes)) encoded++;
      const { user, system } = process.cpuUsage(before);
      countTry((user + system) / 1000);
      expect((user + system) / 1e6).toBeLessThan(MAX_SECONDS);
    }
    expect(encoded).toBeGreaterThan(1000);
    expect(encoded).toBeLessThan(MUTATIONS - 1000);
    expect(process.memoryUsage().heapUsed).toBeLessThan(MAX_BYTES);
  });

  it('of optimizer.safetensors', () => {
    const files = writeCheckpoint(tinyState({ n_layer: 1, n_embd: 8, n_inner: 8 }));
    const original = files.get('optimizer.safetensors') ?? new Uint8Array();
    const result = fuzz({
      seed: 12,
      originals: [original],
      mutate: (bytes, random) => {
        const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        const isHeader = random() < 0.6;
        if (!isHeader) {
          // Any bits are a number, or none.
          const copy = bytes.slice();
          const at = 8 + length + below(random, bytes.length - length - 8);
          for (let i = at; i < at + 4 && i < copy.length; i++) copy[i] = below(random, 256);
          return copy;
        }
        const header = mutateText(bytes.subarray(8, 8 + length), random);
        const out = join(bytes.subarray(0, 8), header, bytes.subarray(8 + length));
        new DataView(out.buffer).setBigUint64(0, BigInt(header.length), true);
        return out;
      },
      read(bytes) {
        const { optimizer, optimizer_problem } = readCheckpoint(
          new Map(files).set('optimizer.safetensors', bytes),
        );
        if (optimizer_problem === undefined) return;
        expect(optimizer.size).toBe(0);
        throw new CheckpointError('bad_state', optimizer_problem, 'Left out.');
      },
    });
    expect(result.codes).toEqual(['bad_state']);
    expect(result.readable).toBeGreaterThan(100);
    expect(result.readable).toBeLessThan(MUTATIONS - 1000);
  });

  it('of metrics.jsonl with wide rows, many rows and lines that are none', () => {
    const lines = (random: Random): string => {
      const wide = Object.fromEntries(
        Array.from({ length: below(random, 300) }, (_, i) => [`m${i}`, i]),
      );
      const rows = Array.from({ length: below(random, 200) }, (_, i) =>
        pick(
          random,
          [`{"step":${i}}`, `{"step":${-i},"a":1}`, '{"resume":3}', '{x}', 'x', '{'],
          '',
        ),
      );
      return [JSON.stringify({ step: 1, ...wide }), ...rows].join('\n');
    };
    const originals = [seeded(1), seeded(2), seeded(3)].map((random) => encode(lines(random)));
    const result = fuzz({
      seed: 13,
      originals,
      mutate: (bytes, random) =>
        random() < 0.5 ? encode(lines(random)) : mutateText(bytes, random),
      read: (bytes) => parseMetricLines(new TextDecoder().decode(bytes)),
    });
    expect(result.readable).toBe(MUTATIONS);
  });

  it('of deep nesting in every JSON file', () => {
    const files = writeCheckpoint(tinyState({}));
    const names = ['config.json', 'training_state.json', 'lineage.json', 'tokenizer.json'];
    const originals = names.map((name) => files.get(name) ?? new Uint8Array());
    const result = fuzz({
      seed: 14,
      originals,
      mutate(bytes, random) {
        const depth = Math.floor(2 ** (random() * 13));
        const [open, close] = random() < 0.5 ? ['[', ']'] : ['{"a":', '}'];
        const inner = random() < 0.9 ? '1' : '';
        const deep = open.repeat(depth) + inner + close.repeat(random() < 0.9 ? depth : depth - 1);
        return encode(new TextDecoder().decode(bytes).replace('{', `{"junk": ${deep},`));
      },
      read(bytes) {
        parseJson(bytes, 'config.json');
        tokenizerFacts(bytes);
      },
    });
    expect(result.codes).toContain('bad_json');
    expect(result.readable).toBeGreaterThan(100);
  });
});
