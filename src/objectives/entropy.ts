/**
 * The entropy of the model's next-token distributions, which TRL's trainers log: it falls towards 0
 * as a model becomes sure, and a policy without entropy answers a prompt always the same.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Chart, Metric } from '../common/index.ts';
import {
  type Forward,
  head,
  parallelLossesAndEntropy,
  type TokenLosses,
  tokenLosses,
} from '../model/index.ts';
import { tokenEntropy } from '../ops/alignment.ts';
import { crossEntropy, run, scale } from '../ops/index.ts';
import type { Sums } from './objective.ts';
import { evaluationPoints, stepLine } from './reward_metrics.ts';

export const WITHOUT_ENTROPY =
  'Not measured where the vocabulary is so large that its logits are computed in chunks, unless ' +
  'ranks share it out.';

export const ENTROPY_METRICS: readonly Metric[] = [
  stepLine(
    'train/entropy',
    { chart: 'entropy', label: 'train', colour: 'train' },
    `Mean entropy of the next-token distributions, over the tokens of this step that count. ${WITHOUT_ENTROPY}`,
  ),
  evaluationPoints(
    'val/entropy',
    { chart: 'entropy', label: 'validation', colour: 'val' },
    `Mean entropy of the next-token distributions, over held-out tokens that count. ${WITHOUT_ENTROPY}`,
  ),
];

export const ENTROPY_CHART: Chart = {
  id: 'entropy',
  title: 'Entropy',
  help:
    'How unsure the model is about the next token. Near 0 it is always sure, and later stages ' +
    'that learn from differences between sampled answers have nothing to learn from.',
  unit: 'nats per token',
  format: 'number',
  floor: 0,
};

export interface LossesAndEntropy extends TokenLosses {
  /** Nats [tokens]; negative where logits are computed in chunks, so that it is not measured. */
  entropy: Tensor;
}

/**
 * `tokenLosses` and the entropies beside them, which cost one more read of the logits, or another matmul
 * of the head where ranks share out the vocabulary. `hidden` is released.
 */
export function lossesAndEntropy(
  forward: Forward,
  hidden: Tensor,
  logits_chunk: number,
  temperature = 1,
): LossesAndEntropy {
  const { tape, model, inputs } = forward;
  if (forward.tensor_parallel) {
    const how = { chunk: logits_chunk, temperature };
    return parallelLossesAndEntropy(forward, forward.tensor_parallel, hidden, how);
  }
  if (logits_chunk < model.vocab_size) {
    const losses = tokenLosses(forward, hidden, logits_chunk, temperature);
    // Another pass over the head would cost as much as the forward pass of the head does.
    return { ...losses, entropy: run(scale, { x: losses.loss }, { factor: -1 }).y };
  }
  const logits = tape.segment(() => head(forward, hidden, temperature));
  tape.release(hidden);
  const losses = tape.apply(crossEntropy, { logits, targets: inputs.get('targets') }, {});
  const { entropy } = run(tokenEntropy, { logits, lse: losses.lse }, {});
  tape.release(logits);
  return { ...losses, entropy };
}

/** Sums without an entropy that was not measured. */
export function measuredEntropy({ entropy, ...sums }: Sums): Sums {
  return entropy !== undefined && entropy >= 0 ? { ...sums, entropy } : sums;
}
