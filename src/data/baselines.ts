/** Losses that a model must beat: a uniform guess, and bigram counts. */
import { checkIds } from './token_split.ts';
import type { TokenSplit } from './types.ts';

/** Candidates for additive smoothing; the one with the lowest validation loss is used. */
export const SMOOTHING = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

/** Loss of a uniform guess: ln(vocab_size), in nats per token. */
export const uniformLoss = (vocab_size: number): number => Math.log(vocab_size);

/** A pair of neighbouring tokens, and how often it occurs in each split. */
interface PairCount {
  /** previous x vocab_size + next. */
  pair: number;
  train: number;
  val: number;
}

/**
 * Validation loss of a bigram model, in nats per token: P(next | previous) = (count(previous, next)
 * + a) / (count(previous) + a V), with counts from the training tokens and the best `a` of
 * SMOOTHING.
 *
 * Pairs are counted by sorting, so memory grows with the length of the text instead of the square
 * of the vocabulary.
 *
 * @returns null with fewer than two validation tokens.
 * @throws DataError token_out_of_range
 */
export function bigramLoss(
  split: Pick<TokenSplit, 'train' | 'val'>,
  vocab_size: number,
): number | null {
  const { train, val } = split;
  checkIds(train, vocab_size);
  checkIds(val, vocab_size);
  if (val.length < 2) return null;
  const contexts = new Int32Array(vocab_size);
  for (let i = 0; i + 1 < train.length; i++) contexts[train[i]!]! += 1;
  const pairs = countPairs(sortedPairs(train, vocab_size), sortedPairs(val, vocab_size));
  const lossWith = (smoothing: number): number => {
    let nats = 0;
    for (const { pair, train: count, val: times } of pairs) {
      const context = contexts[Math.floor(pair / vocab_size)]!;
      nats -= times * Math.log((count + smoothing) / (context + smoothing * vocab_size));
    }
    return nats / (val.length - 1);
  };
  return Math.min(...SMOOTHING.map(lossWith));
}

/** Every two neighbours as previous x vocab_size + next, in ascending order. */
function sortedPairs(tokens: Int32Array, vocab_size: number): Float64Array {
  const pairs = new Float64Array(Math.max(0, tokens.length - 1));
  for (let i = 0; i < pairs.length; i++) pairs[i] = tokens[i]! * vocab_size + tokens[i + 1]!;
  return pairs.sort();
}

/** Counts every distinct validation pair in both sorted lists, in one merge. */
function countPairs(train: Float64Array, val: Float64Array): PairCount[] {
  const pairs: PairCount[] = [];
  let trainIndex = 0;
  for (let i = 0; i < val.length;) {
    const pair = val[i]!;
    const firstVal = i;
    while (i < val.length && val[i] === pair) i++;
    while (trainIndex < train.length && train[trainIndex]! < pair) trainIndex++;
    const firstTrain = trainIndex;
    while (trainIndex < train.length && train[trainIndex] === pair) trainIndex++;
    pairs.push({ pair, train: trainIndex - firstTrain, val: i - firstVal });
  }
  return pairs;
}
