/** Multiple choice by log-likelihood, as lm-evaluation-harness scores it. */

/** The choices of one question. */
export interface ScoredChoices {
  /** Summed log-probability of the tokens of each choice, nats; -Infinity for an unreadable one. */
  logps: readonly number[];
  /** Characters (code points) of each choice. */
  characters: readonly number[];
  /** Index of the right one. */
  answer: number;
}

/** 1 if the right choice is the likeliest; choices that tie share the point. */
export const acc = ({ logps, answer }: ScoredChoices): number => bestShare(logps, answer);

/** The same with log-probabilities divided by characters, which longer choices have more of. */
export const accNorm = ({ logps, characters, answer }: ScoredChoices): number =>
  bestShare(
    logps.map((logp, i) => logp / (characters[i] ?? NaN)),
    answer,
  );

/** What guessing gives. */
export const chance = (questions: readonly ScoredChoices[]): number =>
  questions.reduce((total, { logps }) => total + 1 / logps.length, 0) / questions.length;

/** lm-eval takes the first of equal choices; ours are listed with the right one first. */
function bestShare(scores: readonly number[], answer: number): number {
  const best = Math.max(...scores);
  // No choice could be read.
  if (best === -Infinity) return 0;
  const tied = scores.filter((score) => score === best).length;
  return scores[answer] === best ? 1 / tied : 0;
}
