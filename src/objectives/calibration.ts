/**
 * How far the scores of a reward model can be trusted: the accuracy that a confidence stands for
 * (Guo et al. 2017), and the correlation with the true reward where code knows it. Pure arithmetic.
 */
import type { MetricRow, Turns } from '../common/index.ts';
import { answerText, type EncodedPair, type StageData } from '../data/index.ts';

/** Scores of the two answers of a held-out pair, and their true rewards if they are known. */
export interface ScoredPair {
  chosen: number;
  rejected: number;
  truth: readonly [chosen: number, rejected: number] | null;
}

/** Confidence is the probability of the answer with the higher score, so at least one half. */
export const CONFIDENCE_BINS = [0.5, 0.6, 0.7, 0.8, 0.9] as const;

/** Name of the accuracy among pairs whose confidence is at least `from` and below the next bin's. */
export const binMetric = (from: number): string => `val/accuracy_at_${from}`;

/** True rewards of both answers; null where the data has none, as with votes and own files. */
export function trueRewards(
  { example, chosen, rejected }: EncodedPair,
  { true_reward }: Pick<StageData, 'true_reward'>,
): ScoredPair['truth'] {
  const facts = example.example;
  if (!true_reward || !facts) return null;
  const score = (turns: Turns, mask: Uint8Array): number => {
    const tokens = mask.reduce((sum, one) => sum + one, 0);
    const answer = { text: answerText(turns), ended: true, tokens, max_tokens: tokens };
    return true_reward.score(facts, answer);
  };
  return [score(example.chosen, chosen.mask), score(example.rejected, rejected.mask)];
}

/** Metrics of held-out pairs that no sum over the device's batches gives. */
export function calibrationMetrics(pairs: readonly ScoredPair[]): Partial<MetricRow> {
  if (pairs.length === 0) return {};
  const scores = pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]);
  const row: Partial<MetricRow> = {
    'val/min_reward': smallest(scores),
    'val/max_reward': -smallest(scores.map((score) => -score)),
    'val/calibration_error': calibrationError(pairs),
  };
  for (const { from, accuracy } of accuracyByConfidence(pairs)) row[binMetric(from)] = accuracy;
  const known = pairs.flatMap(({ chosen, rejected, truth }) =>
    truth ? [{ scores: [chosen, rejected], truth }] : [],
  );
  const correlation = pearson(
    known.flatMap((one) => one.scores),
    known.flatMap(({ truth }) => [...truth]),
  );
  if (Number.isFinite(correlation)) row['val/true_reward_correlation'] = correlation;
  return row;
}

const smallest = (values: readonly number[]): number =>
  values.reduce((least, value) => Math.min(least, value), Infinity);

interface Bin {
  from: number;
  pairs: number;
  /** Share of pairs whose chosen answer has the higher score. */
  accuracy: number;
  /** Mean confidence. */
  confidence: number;
}

/** The bins that have pairs. */
export function accuracyByConfidence(
  pairs: readonly Pick<ScoredPair, 'chosen' | 'rejected'>[],
): Bin[] {
  return CONFIDENCE_BINS.flatMap((from, i) => {
    const below = CONFIDENCE_BINS[i + 1] ?? Infinity;
    const inside = pairs
      .map(({ chosen, rejected }) => ({
        right: chosen > rejected ? 1 : 0,
        confidence: 1 / (1 + Math.exp(-Math.abs(chosen - rejected))),
      }))
      .filter(({ confidence }) => confidence >= from && confidence < below);
    if (inside.length === 0) return [];
    const mean = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    const accuracy = mean(inside.map(({ right }) => right));
    const confidence = mean(inside.map((one) => one.confidence));
    return [{ from, pairs: inside.length, accuracy, confidence }];
  });
}

/** Expected calibration error: |accuracy - confidence|, averaged over the pairs of each bin. */
function calibrationError(pairs: readonly ScoredPair[]): number {
  return accuracyByConfidence(pairs).reduce(
    (sum, bin) => sum + (Math.abs(bin.accuracy - bin.confidence) * bin.pairs) / pairs.length,
    0,
  );
}

/** Pearson's correlation; NaN if either side is constant or there are fewer than two values. */
export function pearson(xs: readonly number[], ys: readonly number[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const meanX = mean(xs);
  const meanY = mean(ys);
  let both = 0;
  let squaresX = 0;
  let squaresY = 0;
  xs.forEach((x, i) => {
    const dx = x - meanX;
    const dy = (ys[i] ?? NaN) - meanY;
    both += dx * dy;
    squaresX += dx * dx;
    squaresY += dy * dy;
  });
  return both / Math.sqrt(squaresX * squaresY);
}
