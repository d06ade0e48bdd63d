/** People's votes as pairs. */
import type { PreferenceExample, Vote } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import { readTurns } from './columns.ts';
import { BadLine, cleanText, type Columns, type Located } from './json_lines.ts';

/** Votes for neither answer, and those for one of two equal answers, say nothing and are left out. */
export function votedPairs(votes: readonly Vote[]): Located<PreferenceExample>[] {
  return votes.flatMap(({ prompt, answers, choice }): Located<PreferenceExample>[] => {
    if (choice === null || answers[0] === answers[1]) return [];
    const chosen = cleanText(answers[choice]);
    const rejected = cleanText(answers[choice === 0 ? 1 : 0]);
    return [{ line: null, value: { prompt, chosen, rejected } }];
  });
}

/** Whether a line of a .jsonl file is a vote, as `votes.jsonl` has it. */
export const isVote = ({ answers, choice }: Columns): boolean =>
  Array.isArray(answers) && choice !== undefined;

/**
 * The pair of a line that is a vote; null for a vote for neither answer.
 *
 * @param parent_run The run whose answers may be voted on; null for any.
 * @throws BadLine, or DataError other_run for a vote on answers of another run.
 */
export function votedPair(columns: Columns, parent_run: string | null): PreferenceExample | null {
  const { run, choice } = columns;
  const [first, second] = columns.answers as readonly unknown[];
  if (typeof first !== 'string' || typeof second !== 'string')
    throw new BadLine('is a vote without two answers');
  if (choice !== 0 && choice !== 1 && choice !== null)
    throw new BadLine('is a vote whose choice is not 0, 1 or null');
  if (parent_run !== null && run !== parent_run) throw otherRun(run);
  const vote = { run: '', step: 0, prompt: readTurns(columns.prompt, 'prompt'), at: 0 };
  const [pair] = votedPairs([{ ...vote, answers: [first, second], choice }]);
  return pair?.value ?? null;
}

const otherRun = (run: unknown): DataError =>
  new DataError(
    'other_run',
    `The votes in this file are on answers of another run (${String(run).slice(0, 60)}).`,
    'Start the stage from that run, or open votes on answers of this one.',
  );
