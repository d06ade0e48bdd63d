/**
 * Which contributions of a round count. A contribution that is broken (NaN, wrong length) or far
 * larger than the others is left out, so that one faulty or malicious member cannot ruin the model
 * at once. Within the accepted norm a member can still pull the mean its own way: this is a filter,
 * not a proof.
 */
import { allFinite, decodeHalves, type Halves } from './float16.ts';

/** A difference that is this many times as long as the median is left out. */
export const MOST_MEDIANS = 5;
/** Accepted norms of earlier rounds that the median includes. */
const REMEMBERED = 16;
/** With fewer norms the median says nothing. */
const FEWEST_NORMS = 3;

export interface Contribution {
  member: number;
  gradient: Halves;
}

export interface Screened {
  accepted: Contribution[];
  refused: { member: number; why: string }[];
}

export class Screening {
  #norms: number[] = [];

  /** Sorts out what can be seen at once. Returns why it is refused, or null. */
  static fault({ halves }: Halves): string | null {
    return allFinite(halves) ? null : 'It has values that are not numbers.';
  }

  /** Decides about a whole round, whose members are in the order of `contributions`. */
  screen(contributions: readonly Contribution[]): Screened {
    const norms = contributions.map(({ gradient }) => normOf(gradient));
    const median = lowerMedian([...this.#norms, ...norms]);
    const enough = this.#norms.length + norms.length >= FEWEST_NORMS;
    const screened: Screened = { accepted: [], refused: [] };
    contributions.forEach((contribution, i) => {
      const ratio = (norms[i] ?? NaN) / median;
      if (enough && ratio > MOST_MEDIANS) {
        const why = `It is ${ratio.toPrecision(2)} times as large as is usual.`;
        screened.refused.push({ member: contribution.member, why });
        return;
      }
      screened.accepted.push(contribution);
      this.#norms.push(norms[i] ?? 0);
    });
    this.#norms = this.#norms.slice(-REMEMBERED);
    return screened;
  }
}

function normOf(gradient: Halves): number {
  let sum = 0;
  for (const value of decodeHalves(gradient)) sum += value * value;
  return Math.sqrt(sum);
}

/** Of an even number of values the lower one, so that two values do not vouch for the larger. */
function lowerMedian(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? 0;
}
