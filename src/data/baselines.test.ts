import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bigramLoss, SMOOTHING, uniformLoss } from './baselines.ts';

/** The bigram loss from a dense table of counts. */
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
  it('give the uniform loss as ln of the vocabulary', () => {
    expect(uniformLoss(65)).toBeCloseTo(4.1744, 4);
  });
  it('give the bigram loss of a dense table with the best smoothing', () => {
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
  it('handle a large vocabulary, and give null with fewer than two tokens', () => {
    const train = Int32Array.from({ length: 1000 }, (_, i) => (i * 7919) % 100_000);
    expect(bigramLoss({ train, val: train }, 100_000)).toBeGreaterThan(0);
    expect(bigramLoss({ train, val: Int32Array.of(1) }, 100_000)).toBeNull();
    expect(() => bigramLoss({ train, val: train }, 10)).toThrow(
      expect.objectContaining({ code: 'token_out_of_range' }),
    );
  });
});
