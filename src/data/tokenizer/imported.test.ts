import { Tokenizer as Native } from 'tokenizers';
import { describe, expect, it, vi } from 'vitest';
import { DataError } from '../errors.ts';
import { cpuMilliseconds } from '../fixtures/node.ts';
import { seededRandom } from '../random.ts';
import { trainBpeTokenizer } from './bpe.ts';
import { importTokenizer } from './imported.ts';
import { makeTokenizer } from './index.ts';

const text = 'the cat sat on the mat, and the 1234 cats sat on the mats. naïve 日本 🌍\n';
const own = await trainBpeTokenizer([text.repeat(2)], { vocab_size: 290 });
const file = own.toTokenizerJson();

/**
 * Byte-level BPE with another pre-tokenizer (digits in threes, as Llama 3 has it), which our
 * encoder does not do.
 */
const llama3 = {
  ...(file as object),
  pre_tokenizer: {
    type: 'Sequence',
    pretokenizers: [
      {
        type: 'Split',
        pattern: {
          Regex: '[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s+',
        },
        behavior: 'Isolated',
        invert: false,
      },
      { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
    ],
  },
};

/** SentencePiece as Llama 2 has it: U+2581 for spaces, bytes for what is unknown. */
const bytes = Array.from(
  { length: 256 },
  (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const pieces = [
  '<unk>',
  '<s>',
  '</s>',
  ...bytes,
  '▁',
  't',
  'h',
  'e',
  'c',
  'a',
  's',
  'o',
  'n',
  'm',
  'th',
  'the',
  '▁the',
  'at',
];
const llama2 = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [0, 1, 2].map((id) => ({
    id,
    content: pieces[id],
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  })),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: '<unk>',
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: true,
    ignore_merges: false,
    vocab: Object.fromEntries(pieces.map((piece, id) => [piece, id])),
    merges: [
      ['t', 'h'],
      ['th', 'e'],
      ['▁', 'the'],
      ['a', 't'],
    ],
  },
};

describe('importTokenizer', () => {
  it("encodes GPT-2's kind with our own encoder", async () => {
    const read = await importTokenizer(file);
    expect([read.kind, read.vocab_size, read.eos_token_id]).toEqual(['imported', 290, 289]);
    expect(read.encode(text)).toEqual(own.encode(text));
  });
  it.each([
    ['Llama 3', llama3],
    ['Llama 2', llama2],
  ])('gives the ids and the text of the native tokenizers for the kind of %s', async (_, json) => {
    const read = await importTokenizer(JSON.stringify(json));
    const native = Native.fromString(JSON.stringify(json));
    const ids = read.encode(text);
    expect([...ids]).toEqual(
      (await native.encode(text, null, { addSpecialTokens: false })).getIds(),
    );
    expect(read.decode(ids)).toBe(await native.decode([...ids], true));
    expect(read.decode(ids)).toBe(text);
    expect(read.vocab_size).toBe(native.getVocabSize(true));
    expect(read.toTokenizerJson()).toEqual(json);
    // Its tokens spell the text, except for SentencePiece's first space.
    expect(
      [...ids]
        .map((id) => new TextDecoder('latin1').decode(read.tokenBytes(id)))
        .join('')
        .trimStart(),
    ).toBe(Buffer.from(text, 'utf8').toString('latin1'));
  });
  it('normalizes added tokens as the native tokenizers do', async () => {
    const added_tokens = [
      ...llama2.added_tokens.map((token) => ({ ...token, normalized: true })),
      {
        ...llama2.added_tokens[0],
        id: pieces.length,
        content: 'so on',
        special: false,
        normalized: true,
      },
    ];
    const json = JSON.stringify({ ...llama2, added_tokens });
    const read = await importTokenizer(json);
    const native = Native.fromString(json);
    const sentence = 'the cat so on and so on</s>';
    const ids = read.encode(sentence);
    const expected = await native.encode(sentence, null, { addSpecialTokens: false });
    expect([...ids]).toEqual(expected.getIds());
    expect([...ids]).toContain(pieces.length);
    expect(new TextDecoder().decode(read.tokenBytes(pieces.length))).toBe('so on');
    expect(read.eos_token_id).toBe(2);
  });
  it('finds the end-of-text token', async () => {
    expect((await importTokenizer(llama2)).eos_token_id).toBe(2);
    expect((await importTokenizer(llama2)).tokenBytes(2)).toHaveLength(0);
  });
  it.each(['WordPiece', 'WordLevel', 'Other'])('refuses %s with one sentence', async (type) => {
    await expect(
      importTokenizer({ ...llama2, model: { type, vocab: { a: 0 }, unk_token: 'a' } }),
    ).rejects.toMatchObject({
      code: 'tokenizer_unsupported',
      message: `This kind of tokenizer.json is not supported: its model is ${type}.`,
    });
  });
  it('is used when the configuration selects it', async () => {
    const split = {
      name: '',
      source: '',
      separator: '\n',
      continuous: false,
      table: null,
      notes: [],
      train: [text],
      val: [text],
      duplicates_removed: 0,
    };
    const config = { kind: 'imported', vocab_size: 256 } as const;
    expect((await makeTokenizer(config, split, { tokenizer_json: file })).vocab_size).toBe(290);
    await expect(makeTokenizer(config, split)).rejects.toMatchObject({ code: 'tokenizer_missing' });
  });
  it('reads or refuses 2,000 seeded mutations for the library, each within a second of CPU time', async () => {
    // The library warns on the console about what it does not know.
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const random = seededRandom(7);
    const files = [llama2, llama3].map((json) => JSON.stringify(json));
    for (let round = 0; round < 2000; round++) {
      const source = random.pick(files);
      const at = random.below(source.length);
      const mutated =
        source.slice(0, at) +
        random.pick([
          '',
          '{',
          '"',
          'null',
          '[]',
          '-1',
          '0,',
          '{"type":"x"}',
          source.slice(at, at + 9),
        ]) +
        source.slice(at + random.below(12));
      const started = cpuMilliseconds();
      try {
        const read = await importTokenizer(mutated);
        read.decode(read.encode('the cat'));
      } catch (error) {
        if (!(error instanceof DataError))
          throw new Error(`round ${round}: ${String(error)}`, { cause: error });
      }
      expect(cpuMilliseconds() - started).toBeLessThan(1000);
    }
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});
