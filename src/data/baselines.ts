/** Losses that a model must beat: guessing evenly, and counting pairs. */
import { checkIds } from './token_split.ts';
import type { TokenSplit } from './types.ts';

/** Additive smoothing to choose among, on the validation tokens. */
export const SMOOTHING = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1] as const;

/** ln of the vocabulary: nats a token of a model that knows nothing. */
export const uniformLoss = (vocab_size: number): number => Math.log(vocab_size);

/**
 * Nats a token, on the validation tokens, of P(next | previous) = (count(previous, next) + a) /
 * (count(previous) + a V) counted on the training tokens, with the `a` of SMOOTHING that does best
 * there. Null with fewer than two validation tokens.
 *
 * Pairs are counted by sorting, so that memory goes with the length of the text and not with the
 * vocabulary squared.
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
  return Math.min(
    ...SMOOTHING.map((smoothing) => {
      const nats = pairs.map(
        ({ pair, count, times }) =>
          -times *
          Math.log(
            (count + smoothing) /
              (contexts[Math.floor(pair / vocab_size)]! + smoothing * vocab_size),
          ),
      );
      return nats.reduce((sum, x) => sum + x, 0) / (val.length - 1);
    }),
  );
}

/** previous x vocab_size + next of every two neighbours, in order of size. */
function sortedPairs(tokens: Int32Array, vocab_size: number): Float64Array {
  const pairs = new Float64Array(Math.max(0, tokens.length - 1));
  for (let i = 0; i < pairs.length; i++) pairs[i] = tokens[i]! * vocab_size + tokens[i + 1]!;
  return pairs.sort();
}

/**
 * Every distinct validation pair, how often it occurs there (times) and how often in training
 * (count): one merge of both lists.
 */
function countPairs(
  train: Float64Array,
  val: Float64Array,
): { pair: number; count: number; times: number }[] {
  const pairs = [];
  let at = 0;
  for (let i = 0; i < val.length;) {
    const pair = val[i]!;
    const from = i;
    while (i < val.length && val[i] === pair) i++;
    while (at < train.length && train[at]! < pair) at++;
    const first = at;
    while (at < train.length && train[at] === pair) at++;
    pairs.push({ pair, count: at - first, times: i - from });
  }
  return pairs;
}
