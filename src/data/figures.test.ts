import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigramLoss, SMOOTHING, uniformLoss } from './baselines.ts';
import { loadNames } from './corpora/names.ts';
import { anyText } from './fixtures/text.ts';
import { memorizationIndex } from './memorization.ts';
import { makeSplit } from './split.ts';
import { summarize } from './summary.ts';
import { makeTokenSplit } from './token_split.ts';
import { byteTokenizer } from './tokenizer/byte.ts';
import { trainChar } from './tokenizer/char.ts';

/** The formula with a dense table of counts. */
function denseBigram(train: number[], val: number[], vocab: number, smoothing: number): number {
  const counts = Array.from({ length: vocab }, () => new Array<number>(vocab).fill(0));
  for (let i = 1; i < train.length; i++) counts[train[i - 1]!]![train[i]!]! += 1;
  let sum = 0;
  for (let i = 1; i < val.length; i++) {
    const row = counts[val[i - 1]!]!;
    sum -= Math.log(
      (row[val[i]!]! + smoothing) / (row.reduce((a, b) => a + b, 0) + smoothing * vocab),
    );
  }
  return sum / (val.length - 1);
}

describe('baselines', () => {
  it('uniform: ln of the vocabulary', () => expect(uniformLoss(65)).toBeCloseTo(4.1744, 4));
  it('bigram: the best smoothing of a dense table', () => {
    const tokens = fc.array(fc.nat(6), { minLength: 2, maxLength: 60 });
    fc.assert(
      fc.property(tokens, tokens, (train, val) => {
        const expected = Math.min(
          ...SMOOTHING.map((smoothing) => denseBigram(train, val, 7, smoothing)),
        );
        expect(
          bigramLoss({ train: Int32Array.from(train), val: Int32Array.from(val) }, 7),
        ).toBeCloseTo(expected, 10);
      }),
    );
  });
  it('bigram: works with a large vocabulary and says null without two tokens', () => {
    const train = Int32Array.from({ length: 1000 }, (_, i) => (i * 7919) % 100_000);
    expect(bigramLoss({ train, val: train }, 100_000)).toBeGreaterThan(0);
    expect(bigramLoss({ train, val: Int32Array.of(1) }, 100_000)).toBeNull();
    expect(() => bigramLoss({ train, val: train }, 10)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
  });
});

describe('memorization', () => {
  const index = memorizationIndex({ train: ['ann', 'joanna'], separator: '\n' });
  it('finds a string of the training text', () => {
    expect([
      index.contains('oann'),
      index.contains('\nann\n'),
      index.contains('joanna\n'),
      index.contains('ann\njo'),
    ]).toEqual([true, true, true, true]);
    expect([index.contains('anns'), index.contains('\nanna\n'), index.contains('')]).toEqual([
      false,
      false,
      false,
    ]);
  });
  it('tells a whole document from a part of one', () => {
    expect([
      index.isDocument('ann'),
      index.isDocument('\njoanna\n'),
      index.isDocument('oann'),
    ]).toEqual([true, true, false]);
  });
});

describe('summary', () => {
  it('adds up', async () => {
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
      columns: [],
    });
    expect(summary.train_documents + summary.val_documents).toBe(4940);
    expect(summary.bytes).toBe(summary.characters);
    expect(summary.train_tokens + summary.val_tokens).toBe(summary.characters + 4940);
    expect(summary.sample.length).toBeLessThanOrEqual(1000);
    expect(summary.bigram_loss).toBeLessThan(summary.uniform_loss);
  });
  it('counts bytes and characters', () => {
    fc.assert(
      fc.property(anyText({ minLength: 1, maxLength: 30 }), (text) => {
        const split = {
          name: '',
          source: '',
          separator: '',
          continuous: false,
          columns: [],
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
