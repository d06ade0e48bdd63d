/** People's votes as pairs. */
import type { PreferenceExample, Vote } from '../../common/index.ts';
import { cleanText, type Located } from './json_lines.ts';

/** Votes for neither answer, and those for one of two equal answers, say nothing and are left out. */
export function votedPairs(votes: readonly Vote[]): Located<PreferenceExample>[] {
  return votes.flatMap(({ prompt, answers, choice }): Located<PreferenceExample>[] => {
    if (choice === null || answers[0] === answers[1]) return [];
    const chosen = cleanText(answers[choice]);
    const rejected = cleanText(answers[choice === 0 ? 1 : 0]);
    return [{ line: null, value: { prompt, chosen, rejected } }];
  });
}
