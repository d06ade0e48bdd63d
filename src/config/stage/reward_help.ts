/** What each reward that code checks gives, in one sentence for the page. */
import type { RewardName } from './schema.ts';

export const REWARD_HELP: Readonly<Record<RewardName, string>> = {
  correct: '1 for a right answer, else 0.',
  well_formed: '1 for an answer in the form of the task, right or wrong, else 0.',
  ends: '1 for an answer that ends by itself, else 0.',
  brief: '1 minus the share of the allowed length that the answer takes.',
};

/** Of answers to prompts of the user’s own file. */
export const OWN_REWARD_HELP: Readonly<Record<RewardName, string>> = {
  ...REWARD_HELP,
  correct: '1 for the answer of the file, apart from spaces around it, else 0.',
  well_formed: '1 for an answer that is not empty, else 0.',
};
