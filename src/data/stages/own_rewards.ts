/** Rewards that need nothing but the answer that a .jsonl file gives. */
import type { PromptExample } from '../../common/index.ts';
import { OWN_REWARD_HELP } from '../../config/stage/index.ts';
import type { Located } from './json_lines.ts';
import type { CheckedReward, Sides } from './types.ts';

const ENDS: CheckedReward = {
  name: 'ends',
  help: OWN_REWARD_HELP.ends,
  score: (_example, { ended }) => (ended ? 1 : 0),
};

const BRIEF: CheckedReward = {
  name: 'brief',
  help: OWN_REWARD_HELP.brief,
  score: (_example, { tokens, max_tokens }) =>
    1 - Math.min(1, Math.max(0, tokens / Math.max(1, max_tokens))),
};

const CORRECT: CheckedReward = {
  name: 'correct',
  help: OWN_REWARD_HELP.correct,
  score: ({ answer }, { text }) => (answer !== null && text.trim() === answer.trim() ? 1 : 0),
};

const WELL_FORMED: CheckedReward = {
  name: 'well_formed',
  help: OWN_REWARD_HELP.well_formed,
  score: (_example, { text }) => (text.trim() === '' ? 0 : 1),
};

/** `correct` is among them only if every prompt has an answer. */
export function ownRewards({ train, val }: Sides<Located<PromptExample>>): CheckedReward[] {
  const all = [...train, ...val];
  const others = [WELL_FORMED, ENDS, BRIEF];
  const answered = all.length > 0 && all.every(({ value }) => value.answer !== null);
  return answered ? [CORRECT, ...others] : others;
}
