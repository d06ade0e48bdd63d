/** Intervals, pass@k, choices, win rates and KL against published values and plain formulas. */
import { describe, expect, it } from 'vitest';
import {
  acc,
  accNorm,
  bitsPerByte,
  chance,
  clusteredMean,
  higher,
  meanInterval,
  meanLengths,
  meanPassAtK,
  pairedDifference,
  passAtK,
  sequenceKl,
  tokenKl,
  type Verdict,
  wilson,
  winRate,
} from './index.ts';

describe('intervals', () => {
  it('has the bounds of Wilson that Newcombe (1998) prints for 81 of 263', () => {
    const { low, high } = wilson(81, 263);
    expect([low.toFixed(4), high.toFixed(4)]).toEqual(['0.2553', '0.3662']);
  });

  it('is about 3/n wide above 0 of n, and ends at 0 and 1', () => {
    const none = wilson(0, 100);
    expect([none.value, none.low, none.n]).toEqual([0, 0, 100]);
    expect(none.high).toBeCloseTo(0.0369935, 6);
    const all = wilson(1000, 1000);
    expect(all.low).toBeCloseTo(0.9961732, 6);
    expect(all.high).toBe(1);
    expect(wilson(0, 0).value).toBeNaN();
  });

  it('takes the standard error of a mean with n - 1', () => {
    // Deviations -2, 0, 2: s = 2, standard error 2 / sqrt(3).
    const half = (1.959963984540054 * 2) / Math.sqrt(3);
    const { value, low, high, n } = meanInterval([1, 3, 5]);
    expect([value, n]).toEqual([3, 3]);
    expect(low).toBeCloseTo(3 - half, 12);
    expect(high).toBeCloseTo(3 + half, 12);
  });

  it('has no interval for one item', () => {
    expect(meanInterval([4])).toEqual({ value: 4, low: NaN, high: NaN, n: 1 });
  });

  it('widens the interval where values of one cluster agree', () => {
    const values = [1, 0, 1, 1, 0, 0, 1, 1];
    const { value, high } = clusteredMean(values, [0, 0, 1, 1, 2, 2, 3, 3]);
    // By the double sum of Miller (2024), equation 4.
    expect(value).toBe(0.625);
    expect((high - value) / 1.959963984540054).toBeCloseTo(0.21714975905384482, 12);
    const alone = clusteredMean(values, [0, 1, 2, 3, 4, 5, 6, 7]);
    expect(alone.high).toBeCloseTo(meanInterval(values).high, 12);
  });

  it('takes the differences of pairs, not the difference of the intervals', () => {
    const { value, low, high, n } = pairedDifference([1, 2, 3, 5], [0, 2, 1, 1]);
    expect([value, n]).toEqual([1.75, 4]);
    expect(low).toBeCloseTo(0.07636212894700556, 12);
    expect(high).toBeCloseTo(3.4236378710529944, 12);
    expect(() => pairedDifference([1], [])).toThrow(RangeError);
  });
});

describe('pass@k', () => {
  it.each([
    [10, 3, 1, 0.3],
    [10, 3, 5, 1 - 21 / 252],
    [100, 1, 10, 0.1],
    [5, 5, 2, 1],
    [5, 0, 5, 0],
    [4, 2, 3, 1],
  ])('is 1 - C(n - c, k) / C(n, k) for n = %i, c = %i, k = %i', (n, c, k, expected) => {
    expect(passAtK(n, c, k)).toBeCloseTo(expected, 12);
  });

  it('is the mean over all choices of k answers', () => {
    const answers = [1, 0, 0, 1, 0];
    let passes = 0;
    let count = 0;
    for (let i = 0; i < 5; i++) {
      for (let j = i + 1; j < 5; j++) {
        count++;
        if (answers[i] === 1 || answers[j] === 1) passes++;
      }
    }
    expect(passAtK(5, 2, 2)).toBeCloseTo(passes / count, 12);
  });

  it('needs at least k answers', () => {
    expect(() => passAtK(3, 1, 4)).toThrow('pass@4 needs at least 4 answers, not 3.');
  });

  it('takes prompts as the unit', () => {
    const estimate = meanPassAtK(
      [
        [1, 0],
        [0, 0],
        [1, 1],
      ],
      1,
    );
    expect(estimate).toMatchObject({ value: 0.5, n: 3, low: 0, high: 1 });
  });
});

describe('multiple choice', () => {
  const question = { logps: [-6, -5], characters: [12, 4], answer: 0 };

  it('takes the likeliest choice for acc, and divides by characters for acc_norm', () => {
    expect([acc(question), accNorm(question)]).toEqual([0, 1]);
  });

  it('gives a model that knows nothing what guessing gives', () => {
    const tied = { logps: [-1, -1, -1], characters: [1, 1, 1], answer: 0 };
    expect(acc(tied)).toBeCloseTo(1 / 3, 12);
    expect(chance([tied, question])).toBeCloseTo((1 / 3 + 1 / 2) / 2, 12);
  });

  it('counts a question that the model cannot read as wrong', () => {
    const unread = { logps: [-Infinity, -Infinity], characters: [1, 1], answer: 0 };
    expect([acc(unread), accNorm(unread)]).toEqual([0, 0]);
  });
});

describe('win rate', () => {
  const pairs = [
    { child: 2, parent: 1 },
    { child: 1, parent: 1 },
    { child: 0, parent: 1 },
    { child: 5, parent: 1 },
  ];

  it('counts a tie as a half', () => {
    const { rate, wins, ties } = winRate(pairs, higher, () => 0);
    expect(wins).toEqual([1, 0.5, 0, 1]);
    expect([rate.value, ties]).toEqual([0.625, 1]);
  });

  it('does not depend on the order in which the judge sees the answers', () => {
    const first = winRate(pairs, higher, () => 0);
    const second = winRate(pairs, higher, () => 0.9);
    expect(second.wins).toEqual(first.wins);
  });

  it('gives a judge that always takes the first answer no preference', () => {
    const many = Array.from({ length: 1000 }, () => ({ child: 0, parent: 0 }));
    const alwaysFirst = (): Verdict => 'first';
    const { rate } = winRate(many, alwaysFirst, (i) => (i % 2) / 2);
    expect(rate.value).toBe(0.5);
  });

  it('has mean lengths beside it', () => {
    const lengths = [
      { child: { tokens: 4 }, parent: { tokens: 2 } },
      { child: { tokens: 8 }, parent: { tokens: 4 } },
    ];
    expect(meanLengths(lengths)).toEqual({ child: 6, parent: 3 });
  });
});

describe('likelihood', () => {
  it('is bits over bytes, with the interval of a ratio', () => {
    const windows = [
      { logp: -10 * Math.LN2, bytes: 4 },
      { logp: -12 * Math.LN2, bytes: 5 },
      { logp: -9 * Math.LN2, bytes: 4 },
      { logp: -15 * Math.LN2, bytes: 7 },
    ];
    const { value, low, high } = bitsPerByte(windows);
    expect(value).toBeCloseTo(2.3, 12);
    expect(low).toBeCloseTo(2.134463278230222, 12);
    expect(high).toBeCloseTo(2.4655367217697775, 12);
  });

  it('sums the differences of an answer for KL, and divides by tokens for KL per token', () => {
    const answers = [
      { logps: [-1, -1], parent_logps: [-2, -1.5] },
      { logps: [-1], parent_logps: [-0.5] },
    ];
    expect(sequenceKl(answers).value).toBeCloseTo(0.5, 12);
    expect(tokenKl(answers).value).toBeCloseTo(1 / 3, 12);
  });
});
