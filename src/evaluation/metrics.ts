/** The metrics of evaluations: what they are called, how they are written, and which way is better. */

export type EvaluationUnit = 'share' | 'bits' | 'nats' | 'reward' | 'tokens';

export interface EvaluationMetric {
  name: string;
  label: string;
  unit: EvaluationUnit;
  /** Null for numbers that are neither good nor bad. */
  better: 'higher' | 'lower' | null;
  /** One sentence. */
  help: string;
}

const metric = (
  name: string,
  label: string,
  facts: Omit<EvaluationMetric, 'name' | 'label'>,
): EvaluationMetric => ({ name, label, ...facts });

const share = (name: string, label: string, help: string): EvaluationMetric =>
  metric(name, label, { unit: 'share', better: 'higher', help });

export const EVALUATION_METRICS: readonly EvaluationMetric[] = [
  share(
    'exact_match',
    'Exact match',
    'Share of held-out questions whose likeliest answer is exactly right.',
  ),
  share(
    'constraint',
    'Constraints kept',
    'Share of held-out prompts whose constraints the likeliest answer keeps.',
  ),
  share('well_formed', 'Well formed', 'Share of answers that have the form of the task.'),
  share('ends', 'Ends by itself', 'Share of answers that end with the end token.'),
  share(
    'pass_at_1',
    'pass@1',
    'Chance that one sampled answer is right: the mean over several answers to each prompt.',
  ),
  share(
    'pass_at_k',
    'pass@k',
    'Chance that at least one of k sampled answers is right (unbiased, Chen et al. 2021).',
  ),
  share(
    'acc',
    'Multiple choice',
    'Share of questions whose right choice has the highest log-likelihood (lm-eval: acc).',
  ),
  share(
    'acc_norm',
    'Multiple choice, by length',
    'The same with log-likelihood divided by the characters of a choice (lm-eval: acc_norm).',
  ),
  metric('bits_per_byte', 'Bits per byte', {
    unit: 'bits',
    better: 'lower',
    help: 'Bits that the model needs for a byte of held-out text; vocabularies do not matter.',
  }),
  metric('true_reward', 'True reward', {
    unit: 'reward',
    better: 'higher',
    help: 'Mean reward of sampled answers, checked by code.',
  }),
  metric('learned_reward', 'Learned reward', {
    unit: 'reward',
    better: 'higher',
    help: 'Mean score that the reward model gives the same answers; it can be fooled.',
  }),
  metric('kl', 'KL from the parent', {
    unit: 'nats',
    better: null,
    help: 'How far the answers have moved from the parent, nats per answer.',
  }),
  metric('kl_per_token', 'KL per token', {
    unit: 'nats',
    better: null,
    help: 'The same, nats per token.',
  }),
  share(
    'win_rate',
    'Win rate over the parent',
    'Share of prompts where the true reward of the answer is higher than the parent’s; ties a half.',
  ),
  metric('length', 'Length of answers', {
    unit: 'tokens',
    better: null,
    help: 'Mean length of the sampled answers in tokens: longer answers often win for their length.',
  }),
  metric('parent_length', 'Length of the parent’s answers', {
    unit: 'tokens',
    better: null,
    help: 'Mean length of the parent’s answers to the same prompts in tokens.',
  }),
];

const BY_NAME = new Map(EVALUATION_METRICS.map((one) => [one.name, one]));

/** A metric that a newer version wrote is shown by its name. */
export const evaluationMetric = (name: string): EvaluationMetric =>
  BY_NAME.get(name) ?? { name, label: name, unit: 'reward', better: null, help: '' };

/** A value as a table writes it: shares as percentages with one digit. */
export function formatValue(value: number, unit: EvaluationUnit): string {
  if (!Number.isFinite(value)) return '–';
  switch (unit) {
    case 'share':
      return `${(100 * value).toFixed(1)} %`;
    case 'bits':
    case 'nats':
    case 'reward':
      return value.toFixed(3);
    case 'tokens':
      return value.toFixed(1);
    default:
      return unit satisfies never;
  }
}
