/**
 * Which contributions of a round count. A contribution that is broken (NaN, wrong length) or far
 * larger than the others is left out, so that one faulty or malicious member cannot ruin the model
 * at once. Within the accepted norm a member can still pull the mean its own way: this is a filter,
 * not a proof.
 *
 * Sizes are compared as logarithms, by the modified z-score of Iglewicz and Hoaglin (1993, "How to
 * Detect and Handle Outliers"): the distance from the median in units of 1.4826 times the median
 * absolute deviation, of which 3.5 are the most. The median is taken over the latest rounds and
 * includes what they refused. So a minority of outliers does not move it, and a change that all
 * members share, as of the learning rate, is accepted after at most `REMEMBERED_ROUNDS` refusals.
 * For the same reason whoever trains alone, or with a majority, decides what is usual. Half of the
 * members can have the other half refused by sending little; the host sees that, and can remove them.
 */
import { allFinite, decodeHalves, type Halves } from './float16.ts';

/** Most modified z-scores above the median. */
const MOST_DEVIATIONS = 3.5;
/** Median absolute deviation of a normal distribution as a standard deviation. */
const NORMAL_DEVIATION = 1.4826;
/** A size up to this many times the median always counts, however alike the others are. */
export const SURELY_USUAL = 5;
/** A size from this many times the median never counts, however much the others differ. */
export const NEVER_USUAL = 20;
/** Rounds before the current one that the median includes. */
export const REMEMBERED_ROUNDS = 4;
/** With fewer sizes the median says nothing. */
const FEWEST_SIZES = 2;
/**
 * The norm of s steps of AdamW grows like s while moments and gradient agree, and like its square
 * root in noise. On `names` this power keeps 1 and 50 steps within a factor of 1.3.
 */
const STEPS_POWER = 0.75;
/** Of a difference whose values are finite as float32; `encodeHalves` gives at most 113. */
const MOST_EXPONENT = 111;

export interface Contribution {
  member: number;
  gradient: Halves;
  /** Local steps that it comes from, at most those that the host asked for. */
  steps: number;
}

export interface Screened<T extends Contribution> {
  accepted: T[];
  refused: { member: number; why: string }[];
}

export class Screening {
  /** Logarithms of sizes, by round. */
  #rounds: number[][] = [];

  /** Sorts out what can be seen at once. Returns why it is refused, or null. */
  static fault({ halves, exponent }: Halves): string | null {
    const isUsable = exponent <= MOST_EXPONENT && allFinite(halves);
    return isUsable ? null : 'It has values that are not numbers.';
  }

  /** Decides about a whole round, whose members are in the order of `contributions`. */
  screen<T extends Contribution>(contributions: readonly T[]): Screened<T> {
    const sizes = contributions.map(sizeOf);
    // A member without steps left sends zeros, which say nothing about the others.
    this.#rounds.push(sizes.filter(Number.isFinite));
    this.#rounds = this.#rounds.slice(-1 - REMEMBERED_ROUNDS);
    const { median, limit } = usualSizes(this.#rounds.flat());
    const screened: Screened<T> = { accepted: [], refused: [] };
    contributions.forEach((contribution, i) => {
      const above = (sizes[i] ?? NaN) - median;
      if (above > limit) {
        const why = `It is ${Math.exp(above).toPrecision(2)} times as large as is usual.`;
        screened.refused.push({ member: contribution.member, why });
      } else {
        screened.accepted.push(contribution);
      }
    });
    return screened;
  }
}

/** Logarithm of the norm, as far as the steps do not explain it; -Infinity for zeros. */
const sizeOf = ({ gradient, steps }: Contribution): number =>
  Math.log(normOf(gradient)) - STEPS_POWER * Math.log(Math.max(1, steps));

/** The median of the sizes, and how far above it one may lie. */
function usualSizes(sizes: readonly number[]): { median: number; limit: number } {
  if (sizes.length < FEWEST_SIZES) return { median: 0, limit: Infinity };
  const median = lowerMedian(sizes);
  const deviation = lowerMedian(sizes.map((size) => Math.abs(size - median)));
  const limit = MOST_DEVIATIONS * NORMAL_DEVIATION * deviation;
  const [least, most] = [Math.log(SURELY_USUAL), Math.log(NEVER_USUAL)];
  return { median, limit: Math.min(most, Math.max(least, limit)) };
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
