/** Samples of a run, and which of them are kept when there are too many. */

export interface TokenPiece {
  id: number;
  text: string;
  /** Probability under the model before temperature and truncation. */
  probability: number;
  /** The most probable other tokens. */
  rivals: { text: string; probability: number }[];
}

export interface Sample {
  step: number;
  prompt: string;
  tokens: TokenPiece[];
  /** Occurs word for word in the training text. */
  memorized: boolean;
  /** Of an answer to a prompt of a stage: rewards that code checked, by name. */
  rewards?: Readonly<Record<string, number>>;
  /** Why the prompt cannot be encoded, one sentence; there are no tokens then. */
  problem?: string;
}

/** Samples that a run keeps at most. */
export const MAX_SAMPLES = 240;

/**
 * Thins out items, which are in the order of their steps, until `fits` accepts them: every other
 * step of the older half goes. The first step and the newest ones are kept, so that the samples
 * still span the whole training. If two steps alone are too many, the oldest items go.
 */
export function thinSteps<T extends { step: number }>(
  items: readonly T[],
  fits: (items: readonly T[]) => boolean,
): T[] {
  let kept = [...items];
  while (kept.length > 1 && !fits(kept)) {
    const steps = [...new Set(kept.map(({ step }) => step))];
    if (steps.length <= 2) kept = kept.slice(1);
    else {
      const older = steps.slice(0, Math.ceil(steps.length / 2));
      const dropped = new Set(older.filter((_, index) => index % 2 === 1));
      kept = kept.filter(({ step }) => !dropped.has(step));
    }
  }
  return kept;
}
