/**
 * Samples of the present run, oldest first inside, bounded: when full, every other step of the
 * older half goes.
 */
import type { Sample } from '../protocol/index.ts';

export const MAX_SAMPLES = 240;

export function addSample(samples: readonly Sample[], sample: Sample): Sample[] {
  const next = [...samples, sample];
  if (next.length <= MAX_SAMPLES) return next;
  const steps = [...new Set(next.map((one) => one.step))];
  const older = new Set(
    steps.slice(0, Math.ceil(steps.length / 2)).filter((_, index) => index % 2 === 1),
  );
  const thinned = next.filter((one) => !older.has(one.step));
  // All of one step (many prompts, few steps): the oldest go.
  return thinned.length > MAX_SAMPLES ? thinned.slice(-MAX_SAMPLES) : thinned;
}

/** Steps that have samples, ascending. */
export const sampleSteps = (samples: readonly Sample[]): number[] => [
  ...new Set(samples.map((one) => one.step)),
];

/** Those whose prompt could be read. */
export const writtenSamples = (samples: readonly Sample[]): Sample[] =>
  samples.filter((one) => one.problem === undefined);

/** Share of these samples, so far, that do not stand word for word in the training text. */
export function novelShare(samples: readonly Sample[]): number {
  const written = writtenSamples(samples);
  return written.length === 0
    ? NaN
    : written.filter((one) => !one.memorized).length / written.length;
}
