/**
 * Values that contradict each other, but leave no doubt about what was meant: they are changed, and
 * the page says so. Changes never touch the model; a model that cannot be built is a Problem.
 */
import type { FieldPath, FieldValue } from '../fields.ts';
import { withField } from '../parse.ts';
import type { RunConfig } from '../schema.ts';
import { steps, type Facts } from './problem.ts';

/** A field that is changed so that the run can start. */
export interface Adjustment {
  field: FieldPath;
  /** The value that is used. */
  value: FieldValue;
  /** What is changed and why, in one sentence. */
  message: string;
}

/** The smallest vocabulary that the schema allows. */
const MIN_VOCAB = 256;

/** What has to change in a configuration. Empty for most. */
export function adjustmentsOf(config: RunConfig, facts: Facts = {}): Adjustment[] {
  const checks = [
    clampWarmup(config),
    clampMinLearningRate(config),
    clampVocabulary(config, facts.vocab_size),
  ];
  return checks.filter((adjustment) => adjustment !== null);
}

/** The configuration with the adjustments made; the same object if there are none. */
export const withAdjustments = (config: RunConfig, adjustments: readonly Adjustment[]): RunConfig =>
  adjustments.reduce((adjusted, { field, value }) => withField(adjusted, field, value), config);

/** The warm-up ends with the run and with the decay at the latest. */
function clampWarmup({ training }: RunConfig): Adjustment | null {
  const { warmup_iters, max_iters, lr_decay_iters, lr_schedule } = training;
  const hasDecayEnd = lr_schedule !== 'constant' && lr_decay_iters > 0;
  const endsWithDecay = hasDecayEnd && lr_decay_iters < max_iters;
  const longest = endsWithDecay ? lr_decay_iters : max_iters;
  if (warmup_iters <= longest) return null;
  const why = endsWithDecay
    ? 'because the decay ends there (lr_decay_iters)'
    : 'the length of the run (max_iters)';
  return {
    field: 'training.warmup_iters',
    value: longest,
    message: `Warm-up is shortened from ${warmup_iters} to ${steps(longest)}, ${why}.`,
  };
}

function clampMinLearningRate({ training }: RunConfig): Adjustment | null {
  const { learning_rate, min_lr, lr_schedule } = training;
  if (lr_schedule === 'constant' || min_lr <= learning_rate) return null;
  return {
    field: 'training.min_lr',
    value: learning_rate,
    message: `The final learning rate (min_lr) is lowered from ${min_lr} to ${learning_rate}, the peak learning rate.`,
  };
}

/** BPE stops when no pair of tokens repeats, so a short text gives fewer tokens. */
function clampVocabulary({ tokenizer }: RunConfig, vocab_size?: number): Adjustment | null {
  if (tokenizer.kind !== 'bpe' || vocab_size === undefined || vocab_size >= tokenizer.vocab_size)
    return null;
  return {
    field: 'tokenizer.vocab_size',
    value: Math.max(MIN_VOCAB, vocab_size),
    message:
      `The vocabulary has ${vocab_size} tokens instead of ${tokenizer.vocab_size}, ` +
      'because this text repeats no more pieces than that.',
  };
}
