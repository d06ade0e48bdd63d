/** Files made to keep the worker busy or to fill its memory. Each is refused within seconds. */
import { describe, expect, it } from 'vitest';
import { DataError } from '../errors.ts';
import { cpuMilliseconds } from '../fixtures/node.ts';
import { importTokenizer } from './imported.ts';

const ALPHABET = '\n-abcdefghijklmnopqrstuvwxyz';
const NOVEL = 'call me ishmael - some years ago, never mind how long precisely\n'.repeat(15_000);

/** A tokenizer of single characters that only the library reads. */
const base = {
  version: '1.0',
  added_tokens: [] as object[],
  normalizer: null as object | null,
  pre_tokenizer: null as object | null,
  post_processor: null as object | null,
  decoder: { type: 'ByteLevel' } as object,
  model: {
    type: 'BPE',
    ignore_merges: true,
    vocab: Object.fromEntries(Array.from(ALPHABET, (char, id) => [char, id])) as object,
    merges: [] as unknown[],
  },
};

const split = (Regex: string) => ({
  type: 'Split',
  pattern: { Regex },
  behavior: 'Isolated',
  invert: false,
});
const replace = (pattern: object, content: string) => ({ type: 'Replace', pattern, content });
const sequence = (...normalizers: object[]) => ({ type: 'Sequence', normalizers });
const tenfold = replace({ Regex: '[\\s\\S]' }, 'aaaaaaaaaa');

const HOSTILE: [string, Partial<typeof base>][] = [
  ['nested repetition', { pre_tokenizer: split('((\\s|\\S)*)*Z{99}') }],
  ['words that end nowhere', { pre_tokenizer: split('(\\w+\\s?)+$!') }],
  ['a word read in two ways', { pre_tokenizer: split('([a-m]|[n-z]|[a-m][n-z]|[\\s-])*Z') }],
  ['a slow pattern in a normalizer', { normalizer: replace({ Regex: '([a-z]+ ?)+!' }, 'x') }],
  ['a tenfold text, nine times', { normalizer: sequence(...Array<object>(9).fill(tenfold)) }],
  ['100 kB for each character', { normalizer: replace({ Regex: '.' }, 'a'.repeat(100_000)) }],
  ['16 characters for each place', { normalizer: replace({ String: '' }, 'abcdefghijklmnop') }],
  [
    'a long text for each space',
    { pre_tokenizer: { type: 'Metaspace', str_rep: 'x'.repeat(999) } },
  ],
  ['100 parts', { normalizer: sequence(...Array<object>(100).fill({ type: 'NFKC' })) }],
  ['pieces of no length', { pre_tokenizer: { type: 'FixedLength', length: 0 } }],
  ['a pattern in the decoder', { decoder: { type: 'ByteLevel', pattern: { Regex: '(a+)+b' } } }],
  ['a very large id', { added_tokens: [{ id: 4e9, content: 'x' }] }],
  ['a very large id of a token', { model: { ...base.model, vocab: { a: 2 ** 31 - 1 } } }],
  ['a very long token', { model: { ...base.model, vocab: { ['a'.repeat(10_000)]: 0 } } }],
  ['a very long merge', { model: { ...base.model, merges: [['a'.repeat(10_000), 'b']] } }],
  ['a very long added token', { added_tokens: [{ id: 40, content: 'a'.repeat(100_000) }] }],
];

describe('importTokenizer', () => {
  it.each(HOSTILE)('refuses %s within 5 seconds', async (_, part) => {
    const started = cpuMilliseconds();
    const encoded = importTokenizer({ ...base, ...part }).then((read) => read.encode(NOVEL));
    const error: unknown = await encoded.then(
      () => null,
      (cause: unknown) => cause,
    );
    expect(error).toBeInstanceOf(DataError);
    expect(String(error)).toMatch(/tokenizer\.json.*[a-z]\.$/);
    expect(cpuMilliseconds() - started).toBeLessThan(5000);
  });

  it.each([2000, 100_000])('refuses a file nested %d levels deep', async (depth) => {
    const junk = '['.repeat(depth) + ']'.repeat(depth);
    await expect(
      importTokenizer(`{"junk":${junk},${JSON.stringify(base).slice(1)}`),
    ).rejects.toMatchObject({
      message: 'The tokenizer.json cannot be read: it is nested more than 64 levels deep.',
    });
  });

  it('leaves out the post-processor, which may repeat the tokens', async () => {
    const single = Array<object>(1000).fill({ Sequence: { id: 'A', type_id: 0 } });
    const post_processor = { type: 'TemplateProcessing', single, pair: [], special_tokens: {} };
    const read = await importTokenizer({ ...base, post_processor });
    expect(read.encode('abc')).toHaveLength(3);
  });

  it('keeps the bytes of the file for saving', async () => {
    const bytes = new TextEncoder().encode(` ${JSON.stringify({ ...base, comment: [[[1]]] })}\n`);
    const read = await importTokenizer(bytes);
    expect(read.file).toEqual(bytes);
  });
});
