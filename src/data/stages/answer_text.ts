import type { Turns } from '../../common/index.ts';

/** The text of an answer: that of its last message, or all of it. */
export const answerText = (turns: Turns): string =>
  typeof turns === 'string' ? turns : (turns.at(-1)?.content ?? '');
