import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkTextLength, evalBatches, targetSize, trainBatch } from './batches.ts';
import { embeddingOrder } from './embedding_order.ts';
import { checkIds, makeTokenSplit, makeTokenSplitInSlices } from './token_split.ts';
import { byteTokenizer } from './tokenizer/byte.ts';
import { trainChar } from './tokenizer/char.ts';
import { makeTokenizer } from './tokenizer/index.ts';
import type { Batch, TokenSplit } from './types.ts';

const counting = (train: number, val: number): TokenSplit => ({
  train: Int32Array.from({ length: train }, (_, i) => i),
  val: Int32Array.from({ length: val }, (_, i) => i),
  bytes_per_token: new Uint16Array(Math.max(train, val)).fill(2),
});
const base = {
  split: counting(1000, 100),
  batch_size: 8,
  block_size: 16,
  accumulation: 1,
  seed: 1,
  step: 0,
  micro: 0,
};
const sum = (batches: Batch[]) =>
  batches.reduce((total, { weights }) => total + weights.reduce((a, b) => a + b, 0), 0);

describe('trainBatch', () => {
  it('gives the same rows as 8, as 4x2 and as 1x8, with the same total weight', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(100000), (seed, step) => {
        const whole = trainBatch({ ...base, seed, step });
        for (const batch_size of [4, 1]) {
          const accumulation = 8 / batch_size;
          const parts = Array.from({ length: accumulation }, (_, micro) =>
            trainBatch({ ...base, seed, step, batch_size, accumulation, micro }),
          );
          expect(parts.flatMap(({ ids }) => [...ids])).toEqual([...whole.ids]);
          expect(parts.flatMap(({ targets }) => [...targets])).toEqual([...whole.targets]);
          expect(parts.flatMap(({ weights }) => [...weights])).toEqual([...whole.weights]);
          expect(parts.map(({ row_offset }) => row_offset)).toEqual(
            parts.map((_, i) => i * batch_size),
          );
        }
      }),
      { numRuns: 20 },
    );
  });
  it('cuts rows out of the text, targets one token on, positions from 0', () => {
    const { ids, targets, positions, weights } = trainBatch(base);
    for (let i = 0; i < ids.length; i++) {
      expect(targets[i]).toBe(ids[i]! + 1);
      expect(ids[i]! - positions[i]!).toBe(ids[i - (i % 16)]);
      expect(weights[i]).toBe(1 / 128);
    }
  });
  it('draws every start, the last one too, evenly, and another one each step', () => {
    const starts = new Map<number, number>();
    for (let step = 0; step < 1000; step++) {
      const { ids } = trainBatch({ ...base, split: counting(21, 0), step, block_size: 16 });
      for (let row = 0; row < 8; row++)
        starts.set(ids[row * 16]!, (starts.get(ids[row * 16]!) ?? 0) + 1);
    }
    expect([...starts.keys()].sort()).toEqual([0, 1, 2, 3, 4]);
    // 8000 draws of five starts: 1600 each, standard deviation 36.
    for (const count of starts.values()) expect(Math.abs(count - 1600)).toBeLessThan(180);
    expect(trainBatch(base).ids).toEqual(trainBatch(base).ids);
    expect(trainBatch(base).ids).not.toEqual(trainBatch({ ...base, step: 1 }).ids);
    expect(trainBatch(base).ids).not.toEqual(trainBatch({ ...base, seed: 2 }).ids);
  });
  it('refuses a text shorter than the context', () => {
    expect(() => trainBatch({ ...base, split: counting(16, 0) })).toThrow(
      expect.objectContaining({
        code: 'text_too_short',
        message: 'The text has 16 tokens, too few for a context of 16.',
      }),
    );
    expect(trainBatch({ ...base, split: counting(17, 0) }).ids[0]).toBe(0);
    expect(() => checkTextLength(counting(16, 9), 16)).toThrow(
      expect.objectContaining({ code: 'text_too_short' }),
    );
    expect(() => checkTextLength(counting(17, 1), 16)).toThrow(
      expect.objectContaining({ code: 'text_too_short' }),
    );
    expect(checkTextLength(counting(17, 2), 16)).toBeUndefined();
  });
});

describe('evalBatches', () => {
  it('covers the validation text in fixed windows whose weights sum to 1', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 300 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 4 }),
        (val, batch_size, block_size, eval_iters) => {
          const options = { split: counting(0, val), batch_size, block_size, eval_iters };
          const batches = evalBatches(options);
          expect(batches).toEqual(evalBatches(options));
          expect(batches.length).toBeLessThanOrEqual(eval_iters);
          expect(sum(batches)).toBeCloseTo(1, 5);
          const seen = new Set<number>();
          for (const { targets, ids, weights } of batches) {
            for (let i = 0; i < ids.length; i++) {
              if (weights[i] === 0) continue;
              expect(targets[i]).toBe(ids[i]! + 1);
              expect(seen.has(targets[i]!)).toBe(false);
              seen.add(targets[i]!);
            }
          }
          const { tokens, bytes } = targetSize(batches, options.split.bytes_per_token);
          expect(tokens).toBe(seen.size);
          expect(bytes).toBe(2 * tokens);
        },
      ),
    );
  });
  it('reaches from the first to the last token', () => {
    const batches = evalBatches({
      split: counting(0, 1000),
      batch_size: 3,
      block_size: 10,
      eval_iters: 2,
    });
    expect(batches[0]!.ids[0]).toBe(0);
    expect(batches[1]!.targets.at(-1)).toBe(999);
  });
  it('needs two tokens', () => {
    expect(() =>
      evalBatches({ split: counting(0, 1), batch_size: 1, block_size: 4, eval_iters: 1 }),
    ).toThrow(expect.objectContaining({ code: 'text_too_short' }));
  });
});

describe('makeTokenSplit', () => {
  const split = {
    name: '',
    source: '',
    separator: '\n',
    continuous: false,
    columns: [],
    train: ['ab', 'c'],
    val: ['é'],
    duplicates_removed: 0,
  };
  it('ends documents with the end-of-text token, or the separator', () => {
    expect([...makeTokenSplit(split, byteTokenizer()).train]).toEqual([97, 98, 256, 99, 256]);
    expect([...makeTokenSplit({ ...split, continuous: true }, byteTokenizer()).train]).toEqual([
      97, 98, 10, 99, 10,
    ]);
    const tokens = makeTokenSplit(split, trainChar(['abcé\n']));
    expect([...tokens.train]).toEqual([1, 2, 0, 3, 0]);
    expect([...tokens.val]).toEqual([4, 0]);
    expect([...tokens.bytes_per_token]).toEqual([1, 1, 1, 1, 2]);
  });
  it('gives the same in slices, and can be cancelled between two', async () => {
    const long = {
      ...split,
      train: Array.from({ length: 3000 }, (_, i) => `document ${i} `.repeat(100)),
    };
    const progress: number[] = [];
    const tokens = await makeTokenSplitInSlices(long, byteTokenizer(), {
      onProgress: ({ done }) => progress.push(done),
    });
    expect(
      Buffer.compare(
        Buffer.from(tokens.train.buffer),
        Buffer.from(makeTokenSplit(long, byteTokenizer()).train.buffer),
      ),
    ).toBe(0);
    expect(progress.at(-1)).toBe(3001);
    const cancel = new AbortController();
    const cancelled = makeTokenSplitInSlices(long, byteTokenizer(), {
      signal: cancel.signal,
      onProgress: () => cancel.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({
      code: 'cancelled',
      message: 'Encoding the text was cancelled.',
    });
    await expect(
      makeTokenSplitInSlices(long, byteTokenizer(), { signal: cancel.signal }),
    ).rejects.toMatchObject({ code: 'cancelled' });
  });
  it('checks ids against the vocabulary', () => {
    expect(() => checkIds(Int32Array.of(0, 5), 5)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
    expect(() => checkIds(Int32Array.of(-1), 5)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
    expect(checkIds(Int32Array.of(0, 4), 5)).toBeUndefined();
  });
});

describe('embeddingOrder', () => {
  it('is a stable sort of the rows by id', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { maxLength: 100 }), (list) => {
        const ids = Int32Array.from(list);
        const { sorted, starts } = embeddingOrder(ids, 10);
        expect([...sorted]).toEqual(
          list.map((_, row) => row).sort((a, b) => list[a]! - list[b]! || a - b),
        );
        for (let id = 0; id < 10; id++) {
          const rows = sorted.subarray(starts[id], starts[id + 1]);
          expect([...rows].every((row) => list[row] === id)).toBe(true);
          expect(rows).toHaveLength(list.filter((other) => other === id).length);
        }
      }),
    );
    expect(() => embeddingOrder(Int32Array.of(10), 10)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
  });
});

describe('makeTokenizer', () => {
  it('takes characters from both sides of the split and the separator', async () => {
    const split = {
      name: '',
      source: '',
      separator: '\n',
      continuous: false,
      columns: [],
      train: ['ab'],
      val: ['c'],
      duplicates_removed: 0,
    };
    expect((await makeTokenizer({ kind: 'char', vocab_size: 256 }, split)).vocab_size).toBe(4);
    expect((await makeTokenizer({ kind: 'byte', vocab_size: 256 }, split)).vocab_size).toBe(257);
  });
});
