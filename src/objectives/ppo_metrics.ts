/** Metrics and charts of PPO, by TRL's names. */
import type { Chart, Metric, MetricRow } from '../common/index.ts';
import { measuredEntropy, WITHOUT_ENTROPY } from './entropy.ts';
import type { Sums } from './objective.ts';
import { evaluationPoints, stepLine } from './reward_metrics.ts';
import { RL_CHARTS, RL_METRICS, rlLoss } from './rl/metrics.ts';

export const PPO_METRICS: readonly Metric[] = [
  rlLoss('Loss of this minibatch: of the policy, plus vf_coef times that of the value model.'),
  stepLine(
    'objective/scores',
    { chart: 'reward', label: 'sampled', colour: 'train' },
    'Mean score of the sampled answers, less the penalty of those that did not end.',
  ),
  stepLine(
    'objective/rlhf_reward',
    { chart: 'reward', label: 'score minus KL penalty', colour: 'lr' },
    'Mean score of the sampled answers plus the KL penalty of their tokens.',
  ),
  stepLine(
    'objective/non_score_reward',
    { chart: 'penalty', label: 'KL penalty', colour: 'train' },
    'Mean KL penalty of a sampled answer: minus kl_coef times the KL estimates of its tokens.',
  ),
  stepLine(
    'objective/kl',
    { chart: 'kl', label: 'per answer', colour: 'train' },
    'Mean over sampled answers of log policy minus log reference, nats.',
  ),
  evaluationPoints(
    'val/kl',
    { chart: 'kl', label: 'held out, per answer', colour: 'val' },
    'Mean over answers to held-out prompts of log policy minus log reference, nats.',
  ),
  stepLine(
    'objective/kl_coef',
    { chart: 'kl_coef', label: 'kl_coef', colour: 'lr' },
    'Coefficient of the KL penalty.',
  ),
  stepLine(
    'objective/entropy',
    { chart: 'entropy', label: 'per answer', colour: 'train' },
    'Mean over sampled answers of minus their log-probability, nats.',
  ),
  stepLine(
    'policy/entropy_avg',
    { chart: 'policy_entropy', label: 'per token', colour: 'train' },
    'Mean entropy of the policy’s next-token distributions at the sampling temperature, over the ' +
      `tokens of this minibatch. ${WITHOUT_ENTROPY}`,
  ),
  stepLine(
    'loss/policy_avg',
    { chart: 'losses', label: 'policy', colour: 'train' },
    'Clipped loss of the policy on this minibatch.',
  ),
  stepLine(
    'loss/value_avg',
    { chart: 'losses', label: 'value model', colour: 'val' },
    'Clipped loss of the value model on this minibatch.',
  ),
  stepLine(
    'policy/clipfrac_avg',
    { chart: 'clip', label: 'policy', colour: 'train' },
    'Share of tokens whose ratio is clipped.',
  ),
  stepLine(
    'val/clipfrac_avg',
    { chart: 'clip', label: 'value model', colour: 'val' },
    'Share of tokens whose value is clipped.',
  ),
  stepLine(
    'policy/approxkl_avg',
    { chart: 'approx_kl', label: 'policy', colour: 'train' },
    'Half the mean square of log policy minus log sampling policy: how far this phase has moved it.',
  ),
  stepLine(
    'val/num_eos_tokens',
    { chart: 'ended', label: 'ended', colour: 'train' },
    'Number of sampled answers that ended by themselves.',
  ),
  evaluationPoints(
    'val/true_reward_std',
    { chart: 'true_reward', label: 'standard deviation', colour: 'other' },
    'Standard deviation of the true reward over answers to held-out prompts.',
  ),
  ...RL_METRICS,
];

export const PPO_CHARTS: readonly Chart[] = [
  ...RL_CHARTS,
  { id: 'penalty', title: 'KL penalty', unit: '', format: 'number' },
  { id: 'kl_coef', title: 'KL coefficient', unit: '', format: 'number', floor: 0 },
  {
    id: 'policy_entropy',
    title: 'Entropy of the policy',
    help: 'How unsure the policy is about the next token. Near 0, it always answers the same.',
    unit: 'nats per token',
    format: 'number',
    floor: 0,
  },
  { id: 'losses', title: 'Policy and value loss', unit: '', format: 'number' },
  { id: 'approx_kl', title: 'Movement in a phase', unit: 'nats', format: 'number', floor: 0 },
  { id: 'ended', title: 'Answers that ended', unit: 'answers', format: 'number', floor: 0 },
];

/** What a step logs. */
export function ppoStepMetrics(sums: Sums): Partial<MetricRow> {
  const { low = NaN, high = NaN } = sums;
  const { entropy } = measuredEntropy(sums);
  const metrics: Partial<MetricRow> = {
    'train/loss': sums.loss ?? NaN,
    'loss/policy_avg': sums.policy ?? NaN,
    'loss/value_avg': sums.value ?? NaN,
    'policy/clipfrac_avg': low + high,
    'policy/approxkl_avg': sums.approx_kl ?? NaN,
    'val/clipfrac_avg': sums.value_clipped ?? NaN,
    'val/ratio': sums.ratio ?? NaN,
  };
  if (entropy !== undefined) metrics['policy/entropy_avg'] = entropy;
  return metrics;
}
