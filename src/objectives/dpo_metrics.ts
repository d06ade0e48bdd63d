/** Metrics and charts of direct preference optimization, by TRL's names. */
import type { Chart, Metric } from '../common/index.ts';
import { ANSWER_CHARTS, ANSWER_METRICS, TRUE_REWARD_CHART, TRUE_REWARD_METRIC } from './answers.ts';
import { ENTROPY_CHART, ENTROPY_METRICS } from './entropy.ts';
import { evaluationPoints, PAIR_LOSS_METRICS, stepLine } from './reward_metrics.ts';
import { KL_CHART } from './rl/metrics.ts';

export const DPO_METRICS: readonly Metric[] = [
  ...PAIR_LOSS_METRICS,
  stepLine(
    'train/rewards/accuracies',
    { chart: 'rewards_accuracies', label: 'train', colour: 'train' },
    'Share of the pairs of this step whose chosen answer has the higher implicit reward.',
  ),
  evaluationPoints(
    'val/rewards/accuracies',
    { chart: 'rewards_accuracies', label: 'validation', colour: 'val' },
    'Share of held-out pairs whose chosen answer has the higher implicit reward.',
  ),
  stepLine(
    'train/rewards/margins',
    { chart: 'rewards_margins', label: 'train', colour: 'train' },
    'Implicit reward of the chosen answer minus that of the rejected one.',
  ),
  evaluationPoints(
    'val/rewards/margins',
    { chart: 'rewards_margins', label: 'validation', colour: 'val' },
    'Implicit reward of the chosen answer minus that of the rejected one, for held-out pairs.',
  ),
  stepLine(
    'train/rewards/chosen',
    { chart: 'rewards', label: 'chosen', colour: 'train' },
    'Beta times how much likelier the chosen answer is than under the reference.',
  ),
  stepLine(
    'train/rewards/rejected',
    { chart: 'rewards', label: 'rejected', colour: 'grad' },
    'Beta times how much likelier the rejected answer is than under the reference.',
  ),
  evaluationPoints(
    'val/rewards/chosen',
    { chart: 'rewards', label: 'chosen, validation', colour: 'val' },
    'The same for the chosen answers of held-out pairs.',
  ),
  evaluationPoints(
    'val/rewards/rejected',
    { chart: 'rewards', label: 'rejected, validation', colour: 'lr' },
    'The same for the rejected answers of held-out pairs.',
  ),
  stepLine(
    'train/logps/chosen',
    { chart: 'logps', label: 'chosen', colour: 'train' },
    'Log-probability of the chosen answer, summed over its tokens.',
  ),
  stepLine(
    'train/logps/rejected',
    { chart: 'logps', label: 'rejected', colour: 'grad' },
    'Log-probability of the rejected answer, summed over its tokens.',
  ),
  evaluationPoints(
    'val/logps/chosen',
    { chart: 'logps', label: 'chosen, validation', colour: 'val' },
    'Log-probability of the chosen answers of held-out pairs.',
  ),
  evaluationPoints(
    'val/logps/rejected',
    { chart: 'logps', label: 'rejected, validation', colour: 'lr' },
    'Log-probability of the rejected answers of held-out pairs.',
  ),
  TRUE_REWARD_METRIC,
  evaluationPoints(
    'val/kl',
    { chart: 'kl', label: 'held out, per answer', colour: 'val' },
    'Mean over sampled answers to held-out prompts of log policy minus log reference, nats. An ' +
      'answer counts up to the length of the longest pair.',
  ),
  ...ENTROPY_METRICS,
  ...ANSWER_METRICS,
];

export const DPO_CHARTS: readonly Chart[] = [
  {
    id: 'loss',
    title: 'Loss',
    help:
      'The sigmoid loss begins at 0.693, the logarithm of 2, because the model still equals its ' +
      'reference.',
    unit: 'per pair',
    format: 'loss',
  },
  {
    id: 'rewards_accuracies',
    title: 'Preference accuracy',
    help: 'How often training has raised the chosen answer more than the rejected one. Chance is 50 %.',
    unit: 'share of pairs',
    format: 'percent_precise',
  },
  { id: 'rewards_margins', title: 'Reward margin', unit: '', format: 'number' },
  {
    id: 'rewards',
    title: 'Implicit rewards',
    help:
      'Beta times the log-probability of an answer relative to the reference. Both may fall, as ' +
      'long as the rejected one falls faster.',
    unit: '',
    format: 'number',
  },
  {
    id: 'logps',
    title: 'Log-probabilities',
    help:
      'How likely the model finds both answers. The chosen one often falls, too: the loss only ' +
      'asks for a difference. An SFT term (sft_weight) holds it up.',
    unit: 'nats per answer',
    format: 'number',
  },
  TRUE_REWARD_CHART,
  KL_CHART,
  ENTROPY_CHART,
  ...ANSWER_CHARTS,
];
