/** What `preference_loss` and its gradient share. */
import { div, maximum, neg, onesLike, sub } from '@tensorflow/tfjs-core';
import type { Param } from '../../backend/index.ts';
import type { CaseRandom, Hosts, Tensors } from '../define.ts';
import { at } from '../host.ts';
import { inPairs } from '../pair_loss/pair_loss.ts';
import { averagesTokens, PREFERENCE_LOSSES, type PreferenceLossAttrs } from './losses.ts';

export type In = 'nlls' | 'ref_logps' | 'counts' | 'sft_weights';
type Attrs = PreferenceLossAttrs;

export const THREADS = 64;

/** Log-ratios of both answers of pair `i` to the reference, and what each is divided by. */
export function ratiosOf({ nlls, ref_logps, counts }: Hosts<In>, attrs: Attrs, i: number) {
  const answer = (row: number) => ({
    ratio: -at(nlls, row) - at(ref_logps, row),
    tokens: averagesTokens(attrs) ? Math.max(at(counts, row), 1) : 1,
  });
  return { chosen: answer(2 * i), rejected: answer(2 * i + 1) };
}

/** Log-ratios [pairs] of both answers, and what they are divided by. */
export function ratioTensors({ nlls, ref_logps, counts }: Tensors<In>, attrs: Attrs) {
  const [chosen, rejected] = inPairs(sub(neg(nlls), ref_logps));
  const tokens = averagesTokens(attrs) ? maximum(counts, 1) : onesLike(counts);
  const [chosenTokens, rejectedTokens] = inPairs(tokens);
  const d = sub(div(chosen, chosenTokens), div(rejected, rejectedTokens));
  return { chosen, rejected, chosenTokens, rejectedTokens, d };
}

export const parametersOf = (integer: 'u32' | 'i32', pairs: number, attrs: Attrs): Param[] => [
  [integer, pairs],
  [integer, PREFERENCE_LOSSES.indexOf(attrs.loss_type)],
  ['f32', attrs.beta],
  ['f32', attrs.label_smoothing],
];

export const CASES: readonly (Attrs & { pairs: number })[] = [
  ...PREFERENCE_LOSSES.map((loss_type) => ({
    loss_type,
    beta: loss_type === 'sigmoid_norm' ? 2 : 0.3,
    label_smoothing: 0.1,
    pairs: 9,
  })),
  { loss_type: 'sigmoid', beta: 0.1, label_smoothing: 0, pairs: 70 },
];

export const nameOf = ({ loss_type, pairs }: Attrs & { pairs: number }): string =>
  `${loss_type}, ${pairs} pairs`;

export function inputsOf(random: CaseRandom, pairs: number): Hosts<In> {
  const rows = [2 * pairs];
  // The first answer is empty, as in the padding of an evaluation.
  const counts = Array.from({ length: 2 * pairs }, (_, i) => (5 * i) % 7);
  return {
    nlls: random.normal(rows, 4, 20),
    ref_logps: random.normal(rows, 4, -20),
    counts: random.values(rows, counts),
    sft_weights: random.normal([pairs], 0.05, 0.1),
  };
}
