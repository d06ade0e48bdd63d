import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadNames } from './corpora/names.ts';
import { anyText } from './fixtures/text.ts';
import { makeSplit } from './split.ts';
import { summarize } from './summary.ts';
import { makeTokenSplit } from './token_split.ts';
import { byteTokenizer } from './tokenizer/byte.ts';
import { trainChar } from './tokenizer/char.ts';

describe('summarize', () => {
  it('gives counts that add up', async () => {
    const split = makeSplit(await loadNames(), { val_fraction: 0.1 });
    const tokenizer = trainChar([...split.train, ...split.val, '\n']);
    const tokens = makeTokenSplit(split, tokenizer);
    const summary = summarize(split, tokenizer, tokens);
    expect(summary).toMatchObject({
      name: 'names',
      documents: 4940,
      duplicates_removed: 0,
      vocab_size: 28,
      tokenizer_kind: 'char',
      table: null,
      notes: [],
    });
    expect(summary.train_documents + summary.val_documents).toBe(4940);
    expect(summary.bytes).toBe(summary.characters);
    expect(summary.train_tokens + summary.val_tokens).toBe(summary.characters + 4940);
    expect(summary.sample.length).toBeLessThanOrEqual(1000);
    expect(summary.bigram_loss).toBeLessThan(summary.uniform_loss);
  });
  it('counts UTF-8 bytes and code points', () => {
    fc.assert(
      fc.property(anyText({ minLength: 1, maxLength: 30 }), (text) => {
        const split = {
          name: '',
          source: '',
          separator: '',
          continuous: false,
          table: null,
          notes: [],
          train: [text],
          val: [],
          duplicates_removed: 0,
        };
        const tokenizer = byteTokenizer();
        expect(summarize(split, tokenizer, makeTokenSplit(split, tokenizer))).toMatchObject({
          bytes: Buffer.byteLength(text),
          characters: [...text].length,
          bigram_loss: null,
        });
      }),
    );
  });
});
