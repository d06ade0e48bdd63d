/**
 * Supervised fine-tuning (Ouyang et al. 2022, section 3.1; TRL's SFTTrainer): cross-entropy of the
 * assistant's tokens and of the end token, or of every token, divided by the number of tokens that
 * count over the whole step.
 */
import type { Batch } from '../common/index.ts';
import {
  evaluationBatches,
  exampleBatches,
  packedBatches,
  packedEvaluationBatches,
} from '../data/stages/batches.ts';
import { packExamples } from '../data/stages/packing.ts';
import type { LossContext, TracedLoss } from '../model/index.ts';
import { attendInsideDocuments, documentInputs } from '../model/packed_attention.ts';
import { ANSWER_CHARTS, ANSWER_METRICS, measureAnswers } from './answers.ts';
import { ENTROPY_CHART, ENTROPY_METRICS, lossesAndEntropy, measuredEntropy } from './entropy.ts';
import {
  defineObjective,
  prefixed,
  type Source,
  type SourceContext,
  stageOf,
} from './objective.ts';
import { partSums } from './rl/sums.ts';

const SUMS = ['loss', 'accuracy', 'entropy'] as const;

export const sft = defineObjective({
  name: 'sft',
  data: 'examples',
  sums: SUMS,
  metrics: [...ENTROPY_METRICS, ...ANSWER_METRICS],
  charts: [...ANSWER_CHARTS, ENTROPY_CHART],
  loss,
  stepMetrics: (sums) => prefixed('train', measuredEntropy(sums)),
  evaluationMetrics: (sums) => prefixed('val', measuredEntropy(sums)),
  shape: (setting) => ({
    batch_size: setting.config.training.batch_size,
    block_size: stageOf(setting).data.row_length,
  }),
  attention: (setting) =>
    stageOf(setting).stage.sft.packing
      ? { attend: attendInsideDocuments, inputs: documentInputs }
      : undefined,
  source,
});

function loss({ forward, hidden, logits_chunk }: LossContext): TracedLoss {
  const weights = forward.inputs.get('weights');
  const {
    loss: values,
    correct,
    entropy,
    ...unread
  } = lossesAndEntropy(forward, hidden, logits_chunk);
  const parts = [values, correct, entropy].map((tensor) => ({ weights, values: tensor }));
  return {
    loss: values,
    weights,
    sums: partSums(parts, SUMS.length),
    statistics: [correct, entropy, ...Object.values(unread)],
  };
}

function source(context: SourceContext): Source {
  const { data, stage } = stageOf(context);
  const { batch_size, gradient_accumulation_steps: accumulation, seed } = context.config.training;
  const { eval_iters } = context.config.training;
  const { pad_token_id } = data.chat;
  const rows = { batch_size, block_size: data.row_length, pad_token_id };
  const { train, val } = data.examples;
  const held_out = val.slice(0, eval_iters * batch_size);
  let evaluation: readonly Batch[] | null = null;
  const taking = { ...rows, accumulation, seed };
  if (stage.sft.packing) {
    const packed = packExamples(train, data.row_length);
    const evaluated = packExamples(held_out, data.row_length);
    return {
      step: (step) => packedBatches({ ...taking, examples: packed, step }),
      evaluation: () => (evaluation ??= packedEvaluationBatches({ ...rows, examples: evaluated })),
      measure: () => measureAnswers(context),
    };
  }
  return {
    step: (step) => exampleBatches({ ...taking, examples: train, step }),
    evaluation: () => (evaluation ??= evaluationBatches({ ...rows, examples: held_out })),
    measure: () => measureAnswers(context),
  };
}
