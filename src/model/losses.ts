/** Losses that several objectives share. */
import { mul, stack, sum, type Tensor } from '@tensorflow/tfjs-core';
import { addInPlace } from '../backend/index.ts';
import { run, stepSums } from '../ops/index.ts';
import { tokenLosses } from './heads.ts';
import type { LossContext, TracedLoss } from './programs.ts';

/**
 * Cross-entropy of each target token, weighted by the batch's `weights`: pretraining, and SFT with
 * zero weights on the prompt. Sums: loss and accuracy.
 */
export function crossEntropyLoss({ forward, hidden, logits_chunk }: LossContext): TracedLoss {
  const weights = forward.inputs.get('weights');
  const { loss, correct, lse, probability } = tokenLosses(forward, hidden, logits_chunk);
  return {
    loss,
    weights,
    sums: (into) => run(stepSums, { weights, loss, correct }, {}, { sums: into }).sums,
    statistics: [correct, lse, probability],
  };
}

/** Weights and values of one sum, [n] each. */
export interface SumColumn {
  weights: Tensor;
  values: Tensor;
}

/** Sums of weights x values, one per column, as `TracedLoss.sums` requires. */
export function weightedSums(columns: readonly SumColumn[]): TracedLoss['sums'] {
  return (into) => {
    const sums = stack(columns.map(({ weights, values }) => sum(mul(weights, values))));
    if (!into) return sums;
    addInPlace(into, sums);
    return into;
  };
}
