import { describe, expect, it } from 'vitest';
import { DataError } from '../errors.ts';
import { oracleOf } from '../fixtures/oracle.ts';
import { cpuMilliseconds } from '../fixtures/node.ts';
import { seededRandom, type Random } from '../random.ts';
import type { Tokenizer } from '../types.ts';
import { trainBpeTokenizer } from './bpe.ts';
import { byteTokenizer } from './byte.ts';
import { trainChar } from './char.ts';
import { tokenizerFromJson } from './read.ts';

const text = 'the cat sat on the mat, the cat sat on __proto__ "quoted\\" naïve 日本 🌍\n\t'.repeat(
  3,
);
const samples = [text, ' the  cats ', '', '__proto__'];
const bpe = await trainBpeTokenizer([text, '__proto__ '.repeat(9)], { vocab_size: 290 });
const tokenizers: [string, Tokenizer][] = [
  ['char', trainChar([text])],
  ['byte', byteTokenizer()],
  ['bpe', bpe],
];
const fileOf = (tokenizer: Tokenizer) => JSON.stringify(tokenizer.toTokenizerJson());
const edited = (tokenizer: Tokenizer, ...edits: [string, string][]) =>
  edits.reduce((file, [from, to]) => {
    expect(file).toContain(from);
    return file.replace(from, to);
  }, fileOf(tokenizer));

describe.each(tokenizers)('%s', (kind, tokenizer) => {
  it('restores the same ids, text and file from its own file', () => {
    for (const json of [
      tokenizer.toTokenizerJson(),
      fileOf(tokenizer),
      new TextEncoder().encode(JSON.stringify(tokenizer.toTokenizerJson(), null, 2)),
    ]) {
      const read = tokenizerFromJson(json);
      expect([read.kind, read.vocab_size, read.eos_token_id]).toEqual([
        kind,
        tokenizer.vocab_size,
        tokenizer.eos_token_id,
      ]);
      for (const sample of samples) expect(read.encode(sample)).toEqual(tokenizer.encode(sample));
      expect(read.decode(read.encode(text))).toBe(text);
      expect(fileOf(read)).toBe(fileOf(tokenizer));
    }
  });
});

describe('byte-level BPE written by other tools', () => {
  it('reads merges as strings and ids in any order', async () => {
    const json = JSON.parse(fileOf(bpe)) as {
      model: { vocab: Record<string, number>; merges: [string, string][] };
      added_tokens: { id: number }[];
    };
    // GPT-2's file: end-of-text somewhere else, merges as "a b".
    const last = bpe.vocab_size - 1;
    const vocab = Object.entries(json.model.vocab)
      .map(([entry, id]): [string, number] => [entry, last - id])
      .reverse();
    const merges = json.model.merges.map((pair) => pair.join(' '));
    const file = {
      ...json,
      added_tokens: [{ ...json.added_tokens[0], id: 0 }],
      model: { ...json.model, merges, vocab: Object.fromEntries(vocab) },
    };
    const read = tokenizerFromJson(file);
    expect(read.eos_token_id).toBe(0);
    expect([...read.encode(text)]).toEqual([...bpe.encode(text)].map((id) => last - id));
    expect([...read.encode(text)]).toEqual(await oracleOf(read).encode(text));
    expect(read.decode(read.encode(text))).toBe(text);
  });
  it('reads and writes a token named __proto__ without touching Object.prototype', () => {
    const parts = ['__', 'pr', 'ot', 'o__', 'prot', 'proto__', '__proto__'];
    const bytes = Object.keys(
      (JSON.parse(fileOf(byteTokenizer())) as { model: { vocab: object } }).model.vocab,
    ).slice(0, 256);
    const vocab = [...bytes, ...parts].map((entry, id) => `${JSON.stringify(entry)}:${id}`).join();
    const file = edited(
      byteTokenizer(),
      ['"id":256', '"id":263'],
      ['"vocab":{', `"vocab":{${vocab},"<|endoftext|>":263},"x":{`],
      ['"merges":[]', '"merges":["_ _","p r","o t","o __","pr ot","prot o__","__ proto__"]'],
    );
    const read = tokenizerFromJson(file);
    expect(new TextDecoder().decode(read.tokenBytes(262))).toBe('__proto__');
    expect(read.decode([262])).toBe('__proto__');
    expect(fileOf(read)).toContain('"__proto__":262');
    expect(tokenizerFromJson(read.toTokenizerJson()).vocab_size).toBe(264);
    const pollution = '"__proto__":{"polluted":1}';
    const hostile = `{${pollution},"model":{${pollution},"type":"BPE","vocab":{${pollution}}}}`;
    expect(() => tokenizerFromJson(hostile)).toThrow(DataError);
    expect('polluted' in {}).toBe(false);
  });
});

describe('refused files', () => {
  it.each<[string, unknown, string]>([
    ['nothing', '', 'tokenizer_malformed'],
    ['undefined', undefined, 'tokenizer_malformed'],
    [
      'a cyclic value',
      (() => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      })(),
      'tokenizer_malformed',
    ],
    ['a list', '[]', 'tokenizer_malformed'],
    ['no model', '{}', 'tokenizer_unsupported'],
    ['Unigram', '{"model":{"type":"Unigram","vocab":[]}}', 'tokenizer_unsupported'],
    ['more after the end', `${fileOf(bpe)} {}`, 'tokenizer_malformed'],
    ['an id twice', edited(bpe, ['"!":33', '"!":34']), 'tokenizer_malformed'],
    ['an id beyond the vocabulary', edited(bpe, ['"!":33', '"!":33000']), 'tokenizer_malformed'],
    ['an absurd id', edited(bpe, ['"!":33', '"!":99999999999999999999']), 'tokenizer_malformed'],
    ['a negative id', edited(bpe, ['"!":33', '"!":-33']), 'tokenizer_malformed'],
    ['a missing byte', edited(bpe, ['"!":33', '"!!":33']), 'tokenizer_unsupported'],
    [
      'a merge of unknown tokens',
      edited(bpe, ['"merges":[', '"merges":[["zzz","!"],']),
      'tokenizer_malformed',
    ],
    [
      'a merge of three',
      edited(bpe, ['"merges":[', '"merges":[["a","b","c"],']),
      'tokenizer_malformed',
    ],
    [
      'a normalizer',
      edited(bpe, ['"normalizer":null', '"normalizer":{"type":"Lowercase"}']),
      'tokenizer_unsupported',
    ],
    [
      'another pre-tokenizer',
      edited(bpe, ['"pre_tokenizer":{"type":"ByteLevel"', '"pre_tokenizer":{"type":"Metaspace"']),
      'tokenizer_unsupported',
    ],
    [
      'two added tokens',
      edited(bpe, ['"added_tokens":[', '"added_tokens":[{"id":1,"content":"x"},']),
      'tokenizer_unsupported',
    ],
    [
      'an added token without a whole id',
      edited(bpe, ['"added_tokens":[{"id":289', '"added_tokens":[{"id":1.5']),
      'tokenizer_malformed',
    ],
    ['a character of two', edited(trainChar(['ab']), ['"a":0', '"aa":0']), 'tokenizer_unsupported'],
    ['no characters', edited(trainChar(['a']), ['"a":0', '']), 'tokenizer_malformed'],
    [
      'half a surrogate pair',
      edited(trainChar(['a']), ['"a":0', '"\\ud800":0']),
      'tokenizer_malformed',
    ],
    [
      'bytes that are not UTF-8',
      Uint8Array.of(0x7b, 0x22, 0xc0, 0x80, 0x22, 0x3a, 0x31, 0x7d),
      'tokenizer_malformed',
    ],
    ['an overlong string', `{"${'x'.repeat(100_000)}":1}`, 'tokenizer_malformed'],
  ])('%s', (_, json, code) => {
    expect(() => tokenizerFromJson(json)).toThrow(
      expect.objectContaining({ name: 'DataError', code }),
    );
  });
});

/**
 * A copy with a few random edits: bytes changed, pieces deleted, doubled, moved, or replaced by
 * something awkward.
 */
function mutate(file: Uint8Array, random: Random): Uint8Array {
  const awkward = [
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    '-1',
    '1e999',
    'null',
    '"__proto__":',
    '\\ud800',
    '\u0000',
    '99999999999',
    '[[[[',
    '{"a":{"a":',
  ];
  let bytes = [...file];
  for (let edits = 1 + random.below(4); edits > 0; edits--) {
    const at = random.below(bytes.length + 1);
    const length = random.below(random.below(4) === 0 ? bytes.length + 1 : 20);
    const piece = bytes.slice(at, at + length);
    switch (random.below(6)) {
      case 0:
        if (at < bytes.length) bytes[at] = random.below(256);
        break;
      case 1:
        bytes.splice(at, length);
        break;
      case 2:
        bytes.splice(at, 0, ...piece);
        break;
      case 3:
        bytes.splice(random.below(bytes.length + 1), 0, ...piece);
        break;
      case 4:
        bytes.splice(at, 0, ...new TextEncoder().encode(random.pick(awkward)));
        break;
      default:
        bytes = bytes.slice(0, at);
    }
  }
  return Uint8Array.from(bytes);
}

describe('fuzz', () => {
  it('reads or refuses 10,000 seeded mutations, each within a second of CPU time', () => {
    const random = seededRandom(20261124);
    const files = tokenizers.map(([, tokenizer]) => new TextEncoder().encode(fileOf(tokenizer)));
    const outcomes = { read: 0, refused: 0 };
    for (let round = 0; round < 10_000; round++) {
      const file = mutate(random.pick(files), random);
      const started = cpuMilliseconds();
      try {
        const read = tokenizerFromJson(file);
        read.decode(read.encode('the cat'));
        read.tokenBytes(read.vocab_size - 1);
        outcomes.read++;
      } catch (error) {
        if (!(error instanceof DataError))
          throw new Error(`round ${round}: ${String(error)}`, { cause: error });
        outcomes.refused++;
      }
      expect(cpuMilliseconds() - started).toBeLessThan(1000);
    }
    expect(outcomes.read).toBeGreaterThan(100);
    expect(outcomes.refused).toBeGreaterThan(5000);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });

  const MB = 1 << 20;
  const head = '{"decoder":{"type":"Fuse"},"model":{"type":"BPE","merges":[],"vocab":';
  it.each<[string, () => string]>([
    ['nested lists', () => `{"x":${'['.repeat(30 * MB)}`],
    ['empty lists', () => `{"x":[${'[],'.repeat(10 * MB)}[]]}`],
    ['one long string', () => `{"x":"${'x'.repeat(30 * MB)}"}`],
    ['escapes', () => `{"${'\\u0041'.repeat(5 * MB)}":1}`],
    ['many keys', () => `{${Array.from({ length: 2 * MB }, (_, i) => `"${i}":0`).join()}}`],
    [
      'a huge vocabulary',
      () => {
        const entry = (_: unknown, i: number) =>
          `"${String.fromCodePoint(0x10000 + (i % 1000))}":${i}`;
        return `${head}{${Array.from({ length: 2 * MB }, entry).join()}}}}`;
      },
    ],
    [
      'many merges',
      () => fileOf(bpe).replace('"merges":[', `"merges":[${'["!","!"],'.repeat(2 * MB)}`),
    ],
  ])('refuses 20 to 30 MB of %s within a second of CPU time and twice the memory', (_, make) => {
    const file = new TextEncoder().encode(make());
    expect(file.length).toBeGreaterThan(10 * MB);
    const before = process.memoryUsage();
    const started = cpuMilliseconds();
    expect(() => tokenizerFromJson(file)).toThrow(DataError);
    expect(cpuMilliseconds() - started).toBeLessThan(1000);
    const after = process.memoryUsage();
    // The file itself is included in both; reading may add as much again.
    expect(
      after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers,
    ).toBeLessThan(file.length);
  });
});
