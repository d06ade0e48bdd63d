import { describe, expect, it } from 'vitest';
import type { CheckedReward, EncodedPair } from '../data/index.ts';
import {
  accuracyByConfidence,
  calibrationMetrics,
  pearson,
  type ScoredPair,
  trueRewards,
} from './calibration.ts';

/** A margin whose confidence is `p`. */
const marginOf = (p: number): number => Math.log(p / (1 - p));

const pairOf = (margin: number, truth: ScoredPair['truth'] = null): ScoredPair => ({
  chosen: margin,
  rejected: 0,
  truth,
});

describe('calibration', () => {
  it('groups pairs by the confidence of the higher score, whichever answer has it', () => {
    const margins = [marginOf(0.65), -marginOf(0.65), marginOf(0.69), marginOf(0.95)];
    const bins = accuracyByConfidence(margins.map((margin) => pairOf(margin)));
    expect(bins.map(({ from, pairs }) => [from, pairs])).toEqual([
      [0.6, 3],
      [0.9, 1],
    ]);
    expect(bins[0]?.accuracy).toBeCloseTo(2 / 3, 12);
    expect(bins[0]?.confidence).toBeCloseTo((0.65 + 0.65 + 0.69) / 3, 12);
  });

  it('has no error if the accuracy is what the confidence says', () => {
    const margin = marginOf(0.75);
    const calibrated = [margin, margin, margin, -margin].map((one) => pairOf(one));
    expect(calibrationMetrics(calibrated)['val/calibration_error']).toBeCloseTo(0, 12);
    const overconfident = [margin, -margin].map((one) => pairOf(one));
    expect(calibrationMetrics(overconfident)['val/calibration_error']).toBeCloseTo(0.25, 12);
  });

  it('reports the extremes of all scores', () => {
    const metrics = calibrationMetrics([
      { chosen: 3, rejected: -1, truth: null },
      { chosen: -2, rejected: 5, truth: null },
    ]);
    expect(metrics['val/min_reward']).toBe(-2);
    expect(metrics['val/max_reward']).toBe(5);
  });

  it('correlates scores with true rewards where they are known', () => {
    const known = [pairOf(2, [1, 0]), pairOf(4, [2, 0]), pairOf(7)];
    expect(calibrationMetrics(known)['val/true_reward_correlation']).toBeCloseTo(1, 12);
    expect(calibrationMetrics([pairOf(7)])).not.toHaveProperty('val/true_reward_correlation');
  });

  it('measures nothing without pairs', () => {
    expect(calibrationMetrics([])).toEqual({});
  });
});

describe('correlation', () => {
  it('is that of numpy.corrcoef', () => {
    expect(pearson([1, 2, 3, 4], [2, 1, 4, 3.5])).toBeCloseTo(0.703210846407743, 12);
    expect(pearson([1, 2], [5, 3])).toBeCloseTo(-1, 12);
  });

  it('is not a number where one side is constant', () => {
    expect(pearson([1, 2], [3, 3])).toBeNaN();
  });
});

describe('true rewards', () => {
  const encoded = { ids: Int32Array.of(1, 2, 3), mask: Uint8Array.of(0, 1, 1) };
  const example = { prompt: 'p', kind: 'k', answer: null, facts: { wanted: 'cat' } };
  const pair: EncodedPair = {
    chosen: encoded,
    rejected: encoded,
    margin: 0,
    example: {
      prompt: 'p',
      chosen: [{ role: 'assistant', content: 'a cat' }],
      rejected: 'a dog',
      example,
    },
  };
  const true_reward: CheckedReward = {
    name: 'wanted',
    help: '',
    score: ({ facts }, { text }) => (text.includes(facts.wanted ?? '') ? 1 : 0),
  };

  it('are those of messages and of plain text', () => {
    expect(trueRewards(pair, { true_reward })).toEqual([1, 0]);
  });

  it('are unknown without a checker or without what it checks by', () => {
    expect(trueRewards(pair, { true_reward: null })).toBeNull();
    const voted = { ...pair, example: { prompt: 'p', chosen: 'a', rejected: 'b' } };
    expect(trueRewards(voted, { true_reward })).toBeNull();
  });
});
