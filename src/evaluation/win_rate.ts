/** How often answers of a child are better than its parent's, as AlpacaEval counts it. */
import type { Estimate } from '../common/index.ts';
import { mean, wilson } from './intervals.ts';

/** What a judge says of two answers in the order in which it sees them. */
export type Verdict = 'first' | 'second' | 'tie';

/** The answers of both models to one prompt. */
export interface AnswerPair<T> {
  child: T;
  parent: T;
}

export interface WinRate {
  /** Share of pairs that the child wins; a tie counts a half. */
  rate: Estimate;
  /** 1, 0.5 or 0 for the child, by pair. */
  wins: readonly number[];
  ties: number;
}

/**
 * Whether the judge sees the child's answer first. Half of the orders are the parent first, drawn
 * from a seed, so that a judge that prefers a place gains nothing for either model.
 *
 * @param draw uniform in [0, 1), a function of seed and index of the pair
 */
export const childIsFirst = (draw: number): boolean => draw < 0.5;

/**
 * Judges every pair. Ties count a half; the interval is Wilson's, which is wider than the standard
 * error of such a mean where there are ties.
 *
 * @param draw uniform in [0, 1), by the index of the pair
 */
export function winRate<T>(
  pairs: readonly AnswerPair<T>[],
  judge: (first: T, second: T) => Verdict,
  draw: (index: number) => number,
): WinRate {
  const wins = pairs.map(({ child, parent }, i): number => {
    const isFirst = childIsFirst(draw(i));
    const verdict = isFirst ? judge(child, parent) : judge(parent, child);
    if (verdict === 'tie') return 0.5;
    return (verdict === 'first') === isFirst ? 1 : 0;
  });
  const total = wins.reduce((sum, win) => sum + win, 0);
  return {
    rate: wilson(total, pairs.length),
    wins,
    ties: wins.filter((win) => win === 0.5).length,
  };
}

/** A judge that prefers the higher number. */
export function higher(first: number, second: number): Verdict {
  if (first === second) return 'tie';
  return first > second ? 'first' : 'second';
}

/** Mean length of both sides, which a win rate is read beside: longer answers win more often. */
export const meanLengths = (
  pairs: readonly AnswerPair<{ tokens: number }>[],
): { child: number; parent: number } => ({
  child: mean(pairs.map(({ child }) => child.tokens)),
  parent: mean(pairs.map(({ parent }) => parent.tokens)),
});
