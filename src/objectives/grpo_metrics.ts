/** Metrics and charts of GRPO, by TRL's names. */
import type { Chart, Metric, MetricColour } from '../common/index.ts';
import { RL_CHARTS, RL_METRICS, rlLoss } from './rl/metrics.ts';
import { stepLine } from './reward_metrics.ts';

/** Rewards of the section `rewards`, with what each is called in charts. */
const REWARDS: readonly (readonly [name: string, label: string, colour: MetricColour])[] = [
  ['correct', 'right', 'train'],
  ['well_formed', 'well formed', 'speed'],
  ['ends', 'ends by itself', 'lr'],
  ['brief', 'brief', 'grad'],
];

const REWARD_FUNCTIONS = REWARDS.flatMap(([name, label, colour]) => [
  stepLine(
    `rewards/${name}/mean`,
    { chart: 'reward_functions', label, colour },
    `Mean of the reward “${name}” over the sampled answers, before its weight.`,
  ),
  stepLine(
    `rewards/${name}/std`,
    { chart: 'reward_stds', label, colour },
    `Standard deviation of the reward “${name}” over the sampled answers.`,
  ),
]);

export const GRPO_METRICS: readonly Metric[] = [
  rlLoss(
    'Loss of this step. It reads about 0 because the advantages of a group add up to 0; its ' +
      'gradient does not.',
  ),
  stepLine(
    'reward',
    { chart: 'reward', label: 'sampled', colour: 'train' },
    'Mean weighted sum of the rewards of the sampled answers.',
  ),
  stepLine(
    'reward_std',
    { chart: 'reward_stds', label: 'weighted sum', colour: 'other' },
    'Standard deviation of the weighted sum inside groups, mean over groups.',
  ),
  stepLine(
    'frac_reward_zero_std',
    { chart: 'zero_std', label: 'without signal', colour: 'other' },
    'Share of groups whose answers all have the same reward, so that they teach nothing.',
  ),
  ...REWARD_FUNCTIONS,
  {
    name: 'val/pass@1',
    unit: 'share',
    series: { chart: 'answers', label: 'sampled', colour: 'train', kind: 'points', smooth: false },
    reduction: 'last',
    help: 'Share of right answers to held-out prompts, one sampled to each as in training.',
  },
  stepLine(
    'kl',
    { chart: 'kl', label: 'per token', colour: 'train' },
    'Mean k3 estimate of the KL divergence from the reference per token, nats; only with beta > 0.',
  ),
  stepLine(
    'entropy',
    { chart: 'entropy', label: 'per token', colour: 'train' },
    'Entropy of the sampled distributions per token, estimated from what was sampled, nats.',
  ),
  stepLine(
    'clip_ratio/low_mean',
    { chart: 'clip', label: 'below', colour: 'train' },
    'Share of tokens whose ratio is clipped below 1 - epsilon.',
  ),
  stepLine(
    'clip_ratio/high_mean',
    { chart: 'clip', label: 'above', colour: 'val' },
    'Share of tokens whose ratio is clipped above 1 + epsilon_high.',
  ),
  stepLine(
    'clip_ratio/region_mean',
    { chart: 'clip', label: 'both', colour: 'other' },
    'Share of tokens whose ratio is clipped.',
  ),
  ...RL_METRICS,
];

export const GRPO_CHARTS: readonly Chart[] = [
  ...RL_CHARTS,
  {
    id: 'reward_functions',
    title: 'Rewards by function',
    unit: 'mean',
    format: 'number',
    floor: 0,
  },
  { id: 'reward_stds', title: 'Spread of rewards', unit: 'std', format: 'number', floor: 0 },
  {
    id: 'zero_std',
    title: 'Groups without signal',
    help: 'Groups whose answers are all equally good. The task is then too easy or too hard.',
    unit: 'share of groups',
    format: 'percent',
    floor: 0,
  },
];
