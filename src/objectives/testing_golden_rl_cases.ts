/** The comparison of the golden answers with PyTorch, for the tests of every backend. */
import { expect } from 'vitest';
import { closeness, expectClose, type Tolerance } from '../testing/expect_close.ts';
import file from './golden/rl_gpt2.json';
import { floats } from './testing_golden.ts';
import { type RlCase, type RlLayout, runRlCase } from './testing_golden_rl.ts';

export const RL_CASES: readonly RlCase[] = file.cases;

/** All answers in one micro-batch, in rows that are just long enough. */
export const RL_TIGHT: RlLayout = { padding: 0, micro_batches: 1 };

const METRICS: Tolerance = { atol: 1e-6, rtol: 1e-5 };
const GRADIENT: Tolerance = { atol: 2e-6, rtol: 1e-4 };

/** Compares loss, metrics and all gradients; returns the largest share of a tolerance used. */
export async function expectRlGolden(one: RlCase, layout: RlLayout): Promise<number> {
  const { metrics, gradients } = await runRlCase(file, one, layout);
  const expected = present<number>({ 'train/loss': one.loss, ...one.metrics });
  const names = expected.map(([name]) => name);
  const actual = names.map((name) => metrics[name] ?? NaN);
  const wanted = expected.map(([, value]) => value);
  const shares = [shareOf(actual, wanted, METRICS, names.join(', '))];
  const known = present<string>({ ...one.gradients });
  for (const [name, packed] of known) {
    const values = gradients.get(name) ?? [];
    shares.push(shareOf(values, floats(packed), GRADIENT, `gradient of ${name}`));
  }
  expect(known.length).toBe(gradients.size);
  return Math.max(...shares);
}

/** The entries that a case has: TypeScript gives every case the keys of all. */
function present<T>(record: Readonly<Record<string, T | undefined>>): [string, T][] {
  const found: [string, T][] = [];
  for (const [name, value] of Object.entries(record)) {
    if (value !== undefined) found.push([name, value]);
  }
  return found;
}

function shareOf(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  what: string,
): number {
  expectClose(actual, expected, tolerance, what);
  const { worst } = closeness(actual, expected, tolerance);
  const allowed = tolerance.atol + tolerance.rtol * Math.abs(worst.expected);
  return Math.abs(worst.actual - worst.expected) / allowed;
}
