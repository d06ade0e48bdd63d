/**
 * Cross-entropy that counts tokens by how badly a frozen reference model predicts them: an extra
 * input per token, made by the reference in a source that takes its time.
 */
import { exp, mul, neg, sub } from '@tensorflow/tfjs-core';
import type { Batch } from '../../common/index.ts';
import {
  crossEntropyLoss,
  type LossContext,
  type TracedLoss,
  weightedSums,
} from '../../model/index.ts';
import { defineObjective, pretrain, type SourceContext } from '../../objectives/index.ts';

/** What making a step's batches takes at least, milliseconds. */
const STEP_MS = 50;

export const referenced = defineObjective({
  name: 'referenced',
  sums: ['loss', 'reference_gap'],
  metrics: [
    {
      name: 'train/reference_gap',
      unit: 'nats/token',
      series: { chart: 'gap', label: 'gap', colour: 'other', kind: 'line', smooth: false },
      reduction: 'sum',
      help: 'How much better the model predicts the batch than the reference does.',
    },
  ],
  charts: [{ id: 'gap', title: 'Gap to the reference', unit: 'nats per token', format: 'number' }],
  reference: () => true,
  inputs: ({ batch_size, block_size }) => [{ name: 'ref_logps', shape: [batch_size * block_size] }],
  loss,
  source,
});

function loss(context: LossContext): TracedLoss {
  const { inputs } = context.forward;
  const traced = crossEntropyLoss(context);
  const ref_logps = inputs.get('ref_logps');
  const weights = mul(traced.weights, sub(1, exp(ref_logps)));
  const gap = sub(neg(traced.loss), ref_logps);
  const sums = weightedSums([
    { weights, values: traced.loss },
    { weights: traced.weights, values: gap },
  ]);
  return { ...traced, weights, sums };
}

function source(context: SourceContext) {
  const { programs } = context;
  const plain = pretrain.source(context);
  const withReference = async (batch: Batch): Promise<Batch> => ({
    ...batch,
    extra: { ref_logps: await programs.referenceLogps(batch) },
  });
  const all = async (batches: readonly Batch[] | Promise<readonly Batch[]>): Promise<Batch[]> => {
    const made: Batch[] = [];
    for (const batch of await batches) made.push(await withReference(batch));
    return made;
  };
  return {
    step: async (step: number) => {
      await new Promise((resolve) => setTimeout(resolve, STEP_MS));
      return all(plain.step(step));
    },
    evaluation: () => all(plain.evaluation()),
  };
}
