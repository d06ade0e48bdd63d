/** The comparison of the golden pairs with PyTorch, for the tests of every backend. */
import { expect } from 'vitest';
import { closeness, expectClose, type Tolerance } from '../testing/expect_close.ts';
import pairsGpt2 from './golden/pairs_gpt2.json';
import pairsLlama from './golden/pairs_llama.json';
import { floats, type Golden, type GoldenCase, type Layout, runGolden } from './testing_golden.ts';

const FILES: Readonly<Record<string, Golden>> = { gpt2: pairsGpt2, llama: pairsLlama };

/** All pairs in one micro-batch, in rows that are just long enough. */
export const TIGHT: Layout = { row_length: 9, batch_size: 6, reversed: false };

export const GOLDEN_CASES = Object.entries(FILES).flatMap(([model, file]) =>
  file.cases.map((one) => ({ title: `${model}, ${one.name}`, file, one })),
);

const LOSS: Tolerance = { atol: 1e-6, rtol: 1e-5 };
const GRADIENT: Tolerance = { atol: 2e-6, rtol: 1e-4 };

/** Compares loss, metrics and all gradients; returns the largest share of a tolerance used. */
export async function expectGolden(
  file: Golden,
  one: GoldenCase,
  layout: Layout = TIGHT,
): Promise<number> {
  const { sums, gradients } = await runGolden(file, one, layout);
  const expected: GoldenCase['metrics'] = { loss: one.loss, ...one.metrics };
  // Extremes are of a micro-batch, so their mean depends on how the pairs are divided.
  const names = Object.keys(expected).filter(
    (name) => layout.batch_size === file.pairs.length || !/^(min|max)_/u.test(name),
  );
  const valuesOf = (row: GoldenCase['metrics']) => names.map((name) => row[name] ?? NaN);
  const shares = [shareOf(valuesOf(sums), valuesOf(expected), LOSS, 'loss and metrics')];
  for (const [name, wanted] of Object.entries(one.gradients)) {
    const actual = gradients.get(name) ?? [];
    shares.push(shareOf(actual, floats(wanted ?? ''), GRADIENT, `gradient of ${name}`));
  }
  expect(shares).toHaveLength(gradients.size + 1);
  return Math.max(...shares);
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
