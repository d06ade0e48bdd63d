/** Preferences from better and worse answers, with label noise. */
import type { Turns } from '../../common/index.ts';
import type { PreferenceName } from '../../config/stage/index.ts';
import { answerText } from '../stages/answer_text.ts';
import type { CheckedReward, PreferenceExample, PromptExample, Sides } from '../stages/types.ts';
import { mapSides, randomOf } from './draw.ts';
import type { DatasetConfig } from './types.ts';

/** A preference whose truth is known. */
export interface Judged {
  example: PromptExample;
  better: string;
  worse: string;
}

export type KnownPair = PreferenceExample & { example: PromptExample };

/** Answers of the kind of their prompt: text after text, an assistant's message after messages. */
export function answerTurns(prompt: Turns, content: string): Turns {
  return typeof prompt === 'string' ? content : [{ role: 'assistant', content }];
}

function pairOf({ example, better, worse }: Judged, swapped: boolean): KnownPair {
  const { prompt } = example;
  const [chosen, rejected] = swapped ? [worse, better] : [better, worse];
  return {
    prompt,
    chosen: answerTurns(prompt, chosen),
    rejected: answerTurns(prompt, rejected),
    example,
  };
}

/** Swaps the answers of the share `label_noise` of the training pairs, and of no held-out pair. */
export function noisyPairs(
  { train, val }: Sides<Judged>,
  { seed, label_noise }: DatasetConfig,
): Sides<KnownPair> {
  const order = randomOf(seed, 'noise').shuffle(train.map((_, index) => index));
  const swapped = new Set(order.slice(0, Math.round(label_noise * train.length)));
  return {
    train: train.map((judged, index) => pairOf(judged, swapped.has(index))),
    val: val.map((judged) => pairOf(judged, false)),
  };
}

/**
 * Pairs with the margin `dataset.margin` for each unit of true reward between their answers. It is
 * the same where label noise has swapped them. (Llama 2, Touvron et al. 2023, section 3.2.2; TRL's
 * column `margin`.)
 */
export function withMargins(
  pairs: Sides<KnownPair>,
  { margin }: DatasetConfig,
  truth: CheckedReward,
): Sides<KnownPair> {
  if (margin === 0) return pairs;
  const score = (pair: KnownPair, turns: Turns): number =>
    truth.score(pair.example, { text: answerText(turns), ended: true, tokens: 0, max_tokens: 0 });
  return mapSides(pairs, (pair) => ({
    ...pair,
    margin: margin * Math.abs(score(pair, pair.chosen) - score(pair, pair.rejected)),
  }));
}

/** @throws RangeError if the task does not make this preference. */
export function requirePreference(
  title: string,
  preferences: readonly PreferenceName[],
  preference: PreferenceName,
): void {
  if (preferences.includes(preference)) return;
  throw new RangeError(`The task "${title}" has no preference "${preference}".`);
}
