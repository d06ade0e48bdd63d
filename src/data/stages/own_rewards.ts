/** Rewards that need nothing but the answer that a .jsonl file gives. */
import type { PromptExample } from '../../common/index.ts';
import type { Located } from './json_lines.ts';
import type { CheckedReward, Sides } from './types.ts';

const ENDS: CheckedReward = {
  name: 'ends',
  help: '1 for an answer that ends by itself, else 0.',
  score: (_example, { ended }) => (ended ? 1 : 0),
};

const BRIEF: CheckedReward = {
  name: 'brief',
  help: '1 minus the share of the allowed length that the answer takes.',
  score: (_example, { tokens, max_tokens }) =>
    1 - Math.min(1, Math.max(0, tokens / Math.max(1, max_tokens))),
};

const CORRECT: CheckedReward = {
  name: 'correct',
  help: '1 for the answer of the file, apart from spaces around it, else 0.',
  score: ({ answer }, { text }) => (answer !== null && text.trim() === answer.trim() ? 1 : 0),
};

const WELL_FORMED: CheckedReward = {
  name: 'well_formed',
  help: '1 for an answer that is not empty, else 0.',
  score: (_example, { text }) => (text.trim() === '' ? 0 : 1),
};

/** `correct` is among them only if every prompt has an answer. */
export function ownRewards({ train, val }: Sides<Located<PromptExample>>): CheckedReward[] {
  const all = [...train, ...val];
  const others = [WELL_FORMED, ENDS, BRIEF];
  const answered = all.length > 0 && all.every(({ value }) => value.answer !== null);
  return answered ? [CORRECT, ...others] : others;
}
