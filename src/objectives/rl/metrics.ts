/** Metrics and charts that PPO and GRPO share, by TRL's names. */
import type { Chart, Metric } from '../../common/index.ts';
import { ANSWER_CHARTS, ANSWER_METRICS } from '../answers.ts';
import { evaluationPoints, stepLine } from '../reward_metrics.ts';

/** The loss of an RL stage has no unit that compares with that of pretraining. */
export const rlLoss = (help: string): Metric =>
  stepLine('train/loss', { chart: 'loss', label: 'train', colour: 'train' }, help);

export const RL_METRICS: readonly Metric[] = [
  ...ANSWER_METRICS,
  evaluationPoints(
    'val/reward',
    { chart: 'reward', label: 'held out', colour: 'val' },
    'Mean reward of answers to held-out prompts.',
  ),
  evaluationPoints(
    'val/true_reward',
    { chart: 'true_reward', label: 'held out', colour: 'val' },
    'Mean of what the preferences truly agree with, for answers to held-out prompts; training never sees it.',
  ),
  stepLine(
    'completions/mean_length',
    { chart: 'completions', label: 'mean', colour: 'train' },
    'Mean length of the sampled answers, tokens.',
  ),
  stepLine(
    'completions/min_length',
    { chart: 'completions', label: 'shortest', colour: 'speed' },
    'Length of the shortest sampled answer, tokens.',
  ),
  stepLine(
    'completions/max_length',
    { chart: 'completions', label: 'longest', colour: 'grad' },
    'Length of the longest sampled answer, tokens.',
  ),
  stepLine(
    'completions/mean_terminated_length',
    { chart: 'completions', label: 'mean of those that ended', colour: 'other' },
    'Mean length of the sampled answers that ended by themselves, tokens.',
  ),
  stepLine(
    'completions/clipped_ratio',
    { chart: 'clipped_completions', label: 'cut off', colour: 'other' },
    'Share of the sampled answers that were cut off before they ended.',
  ),
  stepLine(
    'val/ratio',
    { chart: 'ratio', label: 'mean ratio', colour: 'train' },
    'Mean over tokens of the policy’s probability over the one they were sampled with; 1 at first.',
  ),
];

export const KL_CHART: Chart = {
  id: 'kl',
  title: 'KL from the reference',
  help: 'How far the model has moved from where it started.',
  unit: 'nats',
  format: 'number',
  floor: 0,
};

export const RL_CHARTS: readonly Chart[] = [
  {
    id: 'reward',
    title: 'Reward',
    help: 'Whether the model gets better at what is rewarded. This curve says so, not the loss.',
    unit: '',
    format: 'number',
  },
  ...ANSWER_CHARTS,
  {
    id: 'true_reward',
    title: 'True reward',
    help:
      'What the preferences truly agree with. If it falls while the reward rises, the model has ' +
      'learned to please the reward model instead.',
    unit: '',
    format: 'number',
  },
  KL_CHART,
  {
    id: 'entropy',
    title: 'Entropy',
    help: 'How varied the samples are. Near 0, all answers to a prompt are the same.',
    unit: 'nats',
    format: 'number',
    floor: 0,
  },
  { id: 'completions', title: 'Length of answers', unit: 'tokens', format: 'number', floor: 0 },
  {
    id: 'clipped_completions',
    title: 'Answers cut off',
    unit: 'share of answers',
    format: 'percent',
    floor: 0,
  },
  { id: 'ratio', title: 'Ratio to the sampling policy', unit: '', format: 'number' },
  {
    id: 'clip',
    title: 'Clipped tokens',
    help: 'Tokens whose probability has moved so far that they have no gradient.',
    unit: 'share of tokens',
    format: 'percent_precise',
    floor: 0,
  },
];
