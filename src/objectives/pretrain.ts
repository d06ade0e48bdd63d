/** Pretraining: cross-entropy of the next token over random crops of a text (nanoGPT's `train.py`). */
import type { Batch } from '../common/index.ts';
import { evalBatches, shardOf, targetSize, trainBatch } from '../data/index.ts';
import { crossEntropyLoss } from '../model/index.ts';
import {
  defineObjective,
  type EvaluationData,
  type Health,
  type HealthReport,
  prefixed,
  type Source,
  type SourceContext,
  type Sums,
} from './objective.ts';

export const pretrain = defineObjective({
  name: 'pretrain',
  sums: ['loss', 'accuracy'],
  loss: (context) => crossEntropyLoss(context),
  health,
  evaluationMetrics,
  source,
});

/** A loss above this does not reach exactly 0 in one step of training, in nats. */
const LEARNED_LOSS = 0.1;

/**
 * A uniform guess has a loss of ln(vocab_size). A run is exploded at three times that, and diverging
 * one nat above both that and its first loss. A loss that falls to exactly 0 in one step comes from a
 * device that returns zeros, such as a lost WebGL context.
 */
function health({ loss, first_loss, previous_loss, vocab_size }: HealthReport): Health {
  const uniform = Math.log(vocab_size);
  if (loss === 0 && previous_loss > LEARNED_LOSS) return 'exploded';
  if (!Number.isFinite(loss) || loss > 3 * uniform + 3) return 'exploded';
  return loss > Math.max(first_loss, uniform) + 1 ? 'diverging' : 'fine';
}

function evaluationMetrics(sums: Sums, { batches, split }: EvaluationData) {
  const { loss = NaN } = sums;
  const { tokens, bytes } = targetSize(batches, split.bytes_per_token);
  return {
    ...prefixed('val', sums),
    'val/bpb': (loss * tokens) / bytes / Math.LN2,
    'val/perplexity': Math.exp(loss),
  };
}

function source({ config, model, split }: SourceContext): Source {
  const { batch_size, gradient_accumulation_steps, seed, eval_iters } = config.training;
  const { block_size } = model;
  let drawn = split;
  const microBatch = (step: number, micro: number): Batch =>
    trainBatch({
      split: drawn,
      batch_size,
      block_size,
      accumulation: gradient_accumulation_steps,
      seed,
      step,
      micro,
    });
  return {
    step: (step) =>
      Array.from({ length: gradient_accumulation_steps }, (_, micro) => microBatch(step, micro)),
    setShard(shard) {
      drawn = { ...split, train: shardOf(split.train, shard, block_size + 1) };
    },
    evaluation: () => evalBatches({ split, batch_size, block_size, eval_iters }),
  };
}
