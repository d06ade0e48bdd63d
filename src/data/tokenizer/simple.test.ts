import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anyText } from '../fixtures/text.ts';
import { oracleOf } from '../fixtures/oracle.ts';
import { byteTokenizer } from './byte.ts';
import { trainChar } from './char.ts';
import { tokenPieces } from './pieces.ts';
import { TokenStream } from './utf8.ts';

const text = anyText({ maxLength: 60 });
const awkward = [
  '',
  ' ',
  '\n',
  '\r\n\t ',
  '  two  spaces ',
  'naïve café – “quotes”',
  '日本語 мир 🌍👩‍👩‍👧',
  '\u0000\u007f\u0085\u00a0\ufeffx',
  '__proto__ constructor',
];

describe('characters', () => {
  it('restores any text, with one token per code point', () => {
    fc.assert(
      fc.property(text, (s) => {
        const tokenizer = trainChar([s]);
        const ids = tokenizer.encode(s);
        expect(ids).toHaveLength([...s].length);
        expect(tokenizer.decode(ids)).toBe(s);
        expect(tokenizer.vocab_size).toBe(new Set(s).size);
      }),
    );
  });
  it('sorts the vocabulary by code point', () => {
    const tokenizer = trainChar(['b\u{1F30D}a', 'é']);
    expect([0, 1, 2, 3].map((id) => tokenizer.decode([id]))).toEqual(['a', 'b', 'é', '\u{1F30D}']);
  });
  it('names an unknown character', () => {
    expect(() => trainChar(['abc']).encode('abz')).toThrow(
      expect.objectContaining({
        code: 'unknown_character',
        message: 'The character "z" (U+007A) does not occur in the training text.',
      }),
    );
    expect(() => trainChar(['abc']).encode('a\u{1F30D}')).toThrow(
      expect.objectContaining({ code: 'unknown_character' }),
    );
  });
  it('refuses ids outside the vocabulary', () => {
    expect(() => trainChar(['abc']).decode([3])).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
    expect(() => trainChar(['abc']).tokenBytes(-1)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
  });
  it('gives the same ids and text as the native tokenizers', async () => {
    const tokenizer = trainChar(awkward);
    const oracle = oracleOf(tokenizer);
    for (const s of [...awkward, awkward.join('')]) {
      const ids = tokenizer.encode(s);
      expect([...ids]).toEqual(await oracle.encode(s));
      expect(await oracle.decode(ids)).toBe(s);
    }
  });
});

describe('bytes', () => {
  const tokenizer = byteTokenizer();
  it('encodes text as UTF-8', () => {
    fc.assert(
      fc.property(text, (s) => {
        const ids = tokenizer.encode(s);
        expect([...ids]).toEqual([...Buffer.from(s, 'utf8')]);
        expect(tokenizer.decode(ids)).toBe(s);
      }),
    );
  });
  it('encodes the end-of-text string as its id', () => {
    expect([...tokenizer.encode('a<|endoftext|><|endoftext|>b')]).toEqual([97, 256, 256, 98]);
    expect([...tokenizer.encode('<|endoftext|>')]).toEqual([256]);
    expect([...tokenizer.encode('<|endoftext|>a<|endoftext|>')]).toEqual([256, 97, 256]);
    expect(tokenizer.decode([97, 256, 98])).toBe('ab');
  });
  it('gives the same ids and text as the native tokenizers', async () => {
    const oracle = oracleOf(tokenizer);
    for (const s of [...awkward, 'a<|endoftext|>b', awkward.join('<|endoftext|>')]) {
      const ids = tokenizer.encode(s);
      expect([...ids]).toEqual(await oracle.encode(s));
      expect(await oracle.decode(ids)).toBe(tokenizer.decode(ids));
    }
  });
  it('decodes a stream whose characters are split across tokens', () => {
    fc.assert(
      fc.property(text, (s) => {
        const stream = new TokenStream(tokenizer);
        expect([...tokenizer.encode(s)].map((id) => stream.push(id)).join('') + stream.end()).toBe(
          s,
        );
      }),
    );
    const stream = new TokenStream(tokenizer);
    expect([stream.push(0xf0), stream.push(0x9f), stream.end(), stream.push(0x61)]).toEqual([
      '',
      '',
      '\ufffd',
      'a',
    ]);
  });
});

describe('pieces', () => {
  it('shows each token by itself', () => {
    expect(tokenPieces(byteTokenizer(), 'aé<|endoftext|>')).toEqual([
      { id: 97, text: 'a' },
      { id: 0xc3, text: '<0xC3>' },
      { id: 0xa9, text: '<0xA9>' },
      { id: 256, text: '<|endoftext|>' },
    ]);
    expect(tokenPieces(trainChar(['aé']), 'éa')).toEqual([
      { id: 1, text: 'é' },
      { id: 0, text: 'a' },
    ]);
  });
});
