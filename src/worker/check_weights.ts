/** Refuses to save weights that no training gives, so that a good checkpoint is not replaced. */
import { CheckpointError } from '../checkpoint/index.ts';
import type { TrainerState } from '../train/index.ts';

/**
 * Throws CheckpointError `bad_weights` if a value is not finite, or if the token embedding, which is
 * the first parameter, is zero: a device that is lost reads as zeros.
 */
export function checkWeights({ parameters }: Pick<TrainerState, 'parameters'>): void {
  for (const [name, values] of parameters) {
    if (!allFinite(values)) throw badWeights(`${name} has values that are not numbers`);
  }
  const [embedding] = parameters.values();
  if (embedding?.every((value) => value === 0)) throw badWeights('the embedding is all zeros');
}

/** A sum is not finite if a value is not; it is also where it overflows, so each value is checked then. */
function allFinite(values: Float32Array): boolean {
  let sum = 0;
  for (const value of values) sum += value;
  return Number.isFinite(sum) || values.every((value) => Number.isFinite(value));
}

const badWeights = (what: string): CheckpointError =>
  new CheckpointError(
    'bad_weights',
    `The weights were not saved, because ${what}. The last checkpoint is untouched.`,
    'Resume from the last checkpoint, with a lower learning rate if this happens again.',
  );
