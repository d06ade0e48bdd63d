/** The rewards of the section `rewards`, and helpers for scores of any text. */
import { REWARD_HELP } from '../../config/stage/index.ts';
import type { CheckedReward, PromptExample } from '../stages/types.ts';

/** How a task judges the text of an answer. Both must accept any text. */
export interface Checks {
  /** Whether it is the right answer, or keeps all constraints. */
  correct: (example: PromptExample, text: string) => boolean;
  /** Whether it has the form of an answer, right or wrong. */
  wellFormed: (example: PromptExample, text: string) => boolean;
}

export function checkedRewards({ correct, wellFormed }: Checks): readonly CheckedReward[] {
  return [
    {
      name: 'correct',
      help: REWARD_HELP.correct,
      score: (example, { text }) => Number(correct(example, text)),
    },
    {
      name: 'well_formed',
      help: REWARD_HELP.well_formed,
      score: (example, { text }) => Number(wellFormed(example, text)),
    },
    {
      name: 'ends',
      help: REWARD_HELP.ends,
      score: (_, { ended }) => Number(ended),
    },
    {
      name: 'brief',
      help: REWARD_HELP.brief,
      score: (_, { tokens, max_tokens }) => 1 - clamp(tokens / Math.max(1, max_tokens)),
    },
  ];
}

/** @throws RangeError if there is none of this name. */
export function rewardNamed(rewards: readonly CheckedReward[], name: string): CheckedReward {
  const reward = rewards.find((one) => one.name === name);
  if (reward === undefined) throw new RangeError(`There is no reward "${name}".`);
  return reward;
}

/** Limits a number to 0..1; NaN becomes 0. */
export const clamp = (value: number): number => Math.min(1, Math.max(0, value)) || 0;

/** The words of a text, in order. */
export const wordsOf = (text: string): string[] => text.match(/[A-Za-z]+/g) ?? [];
