import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evalBatches, targetSize, trainBatch } from './batches.ts';
import type { Batch, TokenSplit } from './types.ts';

/** Splits whose tokens are 0, 1, 2, ..., so that a token tells its position. */
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
const totalWeight = (batches: Batch[]) =>
  batches.reduce((total, { weights }) => total + weights.reduce((a, b) => a + b, 0), 0);

describe('trainBatch', () => {
  it('draws the same rows as one batch of 8, as 2 x 4 and as 8 x 1, with the same total weight', () => {
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
  it('crops rows from the text, with targets shifted by one token and positions from 0', () => {
    const { ids, targets, positions, weights } = trainBatch(base);
    for (let i = 0; i < ids.length; i++) {
      expect(targets[i]).toBe(ids[i]! + 1);
      expect(ids[i]! - positions[i]!).toBe(ids[i - (i % 16)]);
      expect(weights[i]).toBe(1 / 128);
    }
  });
  it('draws every start evenly, including the last one, and different rows each step', () => {
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
  it('refuses a text that is not longer than the context', () => {
    expect(() => trainBatch({ ...base, split: counting(16, 0) })).toThrow(
      expect.objectContaining({
        code: 'text_too_short',
        message: 'The text has 16 tokens, too few for a context of 16.',
      }),
    );
    expect(trainBatch({ ...base, split: counting(17, 0) }).ids[0]).toBe(0);
  });
});

describe('evalBatches', () => {
  it('covers the validation text with fixed windows whose weights sum to 1', () => {
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
          expect(totalWeight(batches)).toBeCloseTo(1, 5);
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
  it('covers the first and the last token', () => {
    const batches = evalBatches({
      split: counting(0, 1000),
      batch_size: 3,
      block_size: 10,
      eval_iters: 2,
    });
    expect(batches[0]!.ids[0]).toBe(0);
    expect(batches[1]!.targets.at(-1)).toBe(999);
  });
  it('refuses a text of fewer than two tokens', () => {
    expect(() =>
      evalBatches({ split: counting(0, 1), batch_size: 1, block_size: 4, eval_iters: 1 }),
    ).toThrow(expect.objectContaining({ code: 'text_too_short' }));
  });
});
