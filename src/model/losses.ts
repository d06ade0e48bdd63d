/** Losses that several objectives share. */
import { run, stepSums } from '../ops/index.ts';
import { tokenLosses } from './forward.ts';
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
