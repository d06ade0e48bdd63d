/**
 * A reward model in miniature: a scalar head over paired rows. Row 2p is a crop of the text, row
 * 2p + 1 has its first token throughout; the score of a row is that of its last token.
 */
import { reshape, slice, step as positive, tensor1d } from '@tensorflow/tfjs-core';
import type { Batch } from '../../common/index.ts';
import { evalBatches, trainBatch } from '../../data/index.ts';
import {
  listParameters,
  type LossContext,
  scoreParameter,
  scores,
  type TracedLoss,
  weightedSums,
} from '../../model/index.ts';
import { defineObjective, type SourceContext } from '../../objectives/index.ts';
import { pairLoss, takeRows } from '../../ops/alignment.ts';

export const paired = defineObjective({
  name: 'paired',
  sums: ['loss', 'margin', 'accuracy'],
  metrics: [
    {
      name: 'train/margin',
      unit: '',
      series: { chart: 'margin', label: 'margin', colour: 'other', kind: 'line', smooth: true },
      reduction: 'sum',
      help: 'Score of the chosen row minus that of the rejected one.',
    },
  ],
  charts: [{ id: 'margin', title: 'Margin', unit: '', format: 'number' }],
  parameters: ({ model }) => [scoreParameter(model), ...listParameters(model)],
  inputs: ({ batch_size }) => [
    { name: 'pair_weights', shape: [batch_size / 2] },
    { name: 'margins', shape: [batch_size / 2] },
  ],
  loss,
  source,
});

function loss({ forward, hidden }: LossContext): TracedLoss {
  const { tape, batch_size, block_size } = forward;
  const last = Array.from({ length: batch_size }, (_, row) => (row + 1) * block_size - 1);
  const rows = tensor1d(last, 'int32');
  const { y } = tape.apply(
    takeRows,
    { x: scores(forward, hidden), rows },
    { N: batch_size * block_size },
  );
  const { loss: values, statistics } = tape.apply(
    pairLoss,
    { scores: y, margins: forward.inputs.get('margins') },
    { center_rewards_coefficient: 0 },
  );
  const weights = forward.inputs.get('pair_weights');
  const margin = reshape(slice(statistics, [0, 2], [weights.size, 1]), [weights.size]);
  const sums = weightedSums([
    { weights, values },
    { weights, values: margin },
    { weights, values: positive(margin) },
  ]);
  return { loss: values, weights, sums, statistics: [statistics, margin] };
}

function source({ config, model, split }: SourceContext) {
  const { batch_size, seed, eval_iters } = config.training;
  const { block_size } = model;
  const half = batch_size / 2;
  const pairs = (crops: Batch, weight: number): Batch => {
    const ids = new Int32Array(batch_size * block_size);
    for (let pair = 0; pair < half; pair++) {
      const crop = crops.ids.slice(pair * block_size, (pair + 1) * block_size);
      ids.set(crop, 2 * pair * block_size);
      ids.fill(crop[0] ?? 0, (2 * pair + 1) * block_size, (2 * pair + 2) * block_size);
    }
    const positions = ids.map((_, i) => i % block_size);
    const weights = new Float32Array(ids.length);
    const extra = {
      pair_weights: new Float32Array(half).fill(weight),
      margins: new Float32Array(half),
    };
    return { ...crops, batch_size, ids, positions, weights, targets: ids, extra };
  };
  const crop = { split, batch_size: half, block_size, accumulation: 1, seed, micro: 0 };
  const windows = evalBatches({ split, batch_size: half, block_size, eval_iters });
  return {
    step: (step: number) => [pairs(trainBatch({ ...crop, step }), 1 / half)],
    evaluation: () => windows.map((batch) => pairs(batch, 1 / (half * windows.length))),
  };
}
