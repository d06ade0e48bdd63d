/** Samples of five moments of a run: the first, a quarter, half, three quarters and the last. */
import { sampleSteps, writtenSamples, type Sample } from '../../store/index.ts';

const SHARES = [0, 0.25, 0.5, 0.75, 1];
/** Longer texts do not fit on the sheet. */
const MAX_CHARACTERS = 420;

export interface Moment {
  step: number;
  text: string;
}

/** The first sample of the step nearest to each share of the sampled steps, oldest first. */
export function momentsOf(samples: readonly Sample[]): Moment[] {
  const written = writtenSamples(samples);
  const steps = sampleSteps(written);
  const first = steps[0] ?? 0;
  const last = steps.at(-1) ?? 0;
  const chosen = SHARES.map((share) => nearest(steps, first + share * (last - first)));
  return [...new Set(chosen)].flatMap((step) => {
    const sample = written.find((one) => one.step === step);
    return sample ? [{ step: sample.step, text: textOf(sample) }] : [];
  });
}

const nearest = (steps: readonly number[], target: number): number =>
  steps.reduce(
    (best, step) => (Math.abs(step - target) < Math.abs(best - target) ? step : best),
    steps[0] ?? NaN,
  );

function textOf({ prompt, tokens }: Sample): string {
  const text = (prompt + tokens.map((piece) => piece.text).join('')).trim();
  return text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}…` : text;
}
