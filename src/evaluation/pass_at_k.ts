/** pass@k: the chance that at least one of k sampled answers is right. */
import type { Estimate } from '../common/index.ts';
import { meanInterval, withinShares } from './intervals.ts';

/**
 * The unbiased estimate 1 - C(n - c, k) / C(n, k) of one prompt (Chen et al. 2021,
 * arXiv:2107.03374, equation 1), as a product, which does not overflow.
 *
 * @param n answers that were sampled, at least k
 * @param correct how many of them are right
 * @throws RangeError for fewer than k answers
 */
export function passAtK(n: number, correct: number, k: number): number {
  if (k < 1 || n < k) throw new RangeError(`pass@${k} needs at least ${k} answers, not ${n}.`);
  if (n - correct < k) return 1;
  let allWrong = 1;
  for (let i = n - correct + 1; i <= n; i++) allWrong *= 1 - k / i;
  return 1 - allWrong;
}

/**
 * The mean over prompts, each of which was answered several times. The prompt is the unit of the
 * interval: answers to one prompt are not independent of each other.
 *
 * @param outcomes 1 for a right answer and 0 for a wrong one, a list per prompt
 */
export function meanPassAtK(outcomes: readonly (readonly number[])[], k: number): Estimate {
  return withinShares(meanInterval(passRates(outcomes, k)));
}

/** pass@k of each prompt. */
export const passRates = (outcomes: readonly (readonly number[])[], k: number): number[] =>
  outcomes.map((answers) => {
    const correct = answers.reduce((count, outcome) => count + outcome, 0);
    return passAtK(answers.length, correct, k);
  });
