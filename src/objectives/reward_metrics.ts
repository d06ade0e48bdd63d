/** Metrics and charts of reward models, by TRL's names. */
import type { Chart, Metric, MetricColour } from '../common/index.ts';
import { binMetric, CONFIDENCE_BINS } from './calibration.ts';

interface Drawn {
  chart: string;
  label: string;
  colour: MetricColour;
}

/** A metric of every step. */
export const stepLine = (name: string, drawn: Drawn, help: string): Metric => ({
  name,
  unit: '',
  series: { ...drawn, kind: 'line', smooth: true },
  reduction: 'sum',
  help,
});

/** A metric of every evaluation. */
export const evaluationPoints = (name: string, drawn: Drawn, help: string): Metric => ({
  name,
  unit: '',
  series: { ...drawn, kind: 'points', smooth: false },
  reduction: 'last',
  help,
});

/** The loss over pairs takes the place of the loss over tokens in the table of metrics. */
export const PAIR_LOSS_METRICS: readonly Metric[] = [
  stepLine(
    'train/loss',
    { chart: 'loss', label: 'train', colour: 'train' },
    'Mean loss of the pairs of this step.',
  ),
  evaluationPoints(
    'val/loss',
    { chart: 'loss', label: 'validation', colour: 'val' },
    'Mean loss of held-out pairs, which the model never trains on.',
  ),
];

const BIN_COLOURS: readonly MetricColour[] = ['lr', 'gpu', 'speed', 'grad', 'val'];

const percent = (share: number): string => `${Math.round(100 * share)}`;

const BIN_METRICS = CONFIDENCE_BINS.map((from, i) => {
  const to = percent(CONFIDENCE_BINS[i + 1] ?? 1);
  const label = `${percent(from)} to ${to} % sure`;
  const colour = BIN_COLOURS[i] ?? 'other';
  return evaluationPoints(
    binMetric(from),
    { chart: 'calibration', label, colour },
    `Share of held-out pairs that are right, of those of which the model is ${label}.`,
  );
});

export const REWARD_METRICS: readonly Metric[] = [
  ...PAIR_LOSS_METRICS,
  stepLine(
    'train/accuracy',
    { chart: 'accuracy', label: 'train', colour: 'train' },
    'Share of the pairs of this step whose chosen answer has the higher score.',
  ),
  evaluationPoints(
    'val/accuracy',
    { chart: 'accuracy', label: 'validation', colour: 'val' },
    'Share of held-out pairs whose chosen answer has the higher score.',
  ),
  stepLine(
    'train/margin',
    { chart: 'margin', label: 'train', colour: 'train' },
    'Score of the chosen answer minus that of the rejected one.',
  ),
  evaluationPoints(
    'val/margin',
    { chart: 'margin', label: 'validation', colour: 'val' },
    'Score of the chosen answer minus that of the rejected one, for held-out pairs.',
  ),
  stepLine(
    'train/max_reward',
    { chart: 'reward', label: 'largest', colour: 'grad' },
    'Largest score of a micro-batch; the mean, if a step has several.',
  ),
  stepLine(
    'train/mean_reward',
    { chart: 'reward', label: 'mean', colour: 'train' },
    'Mean score in the batch. Only differences between scores matter to the loss.',
  ),
  stepLine(
    'train/min_reward',
    { chart: 'reward', label: 'smallest', colour: 'lr' },
    'Smallest score of a micro-batch; the mean, if a step has several.',
  ),
  ...BIN_METRICS,
  evaluationPoints(
    'val/true_reward_correlation',
    { chart: 'true_reward_correlation', label: 'correlation', colour: 'val' },
    'Correlation of the score with the true reward, over the answers of held-out pairs.',
  ),
];

export const REWARD_CHARTS: readonly Chart[] = [
  {
    id: 'loss',
    title: 'Loss',
    help:
      'How surprised the model is by which answer was chosen. Without any knowledge it is ' +
      '0.693, the logarithm of 2.',
    unit: 'nats per pair',
    format: 'loss',
  },
  {
    id: 'accuracy',
    title: 'Accuracy',
    help: 'How often the chosen answer gets the higher score. Guessing gives 50 %.',
    unit: 'share of pairs',
    format: 'percent_precise',
  },
  {
    id: 'margin',
    title: 'Margin',
    help: 'How much higher the score of the chosen answer is.',
    unit: '',
    format: 'number',
  },
  { id: 'reward', title: 'Scores', unit: '', format: 'number' },
  {
    id: 'calibration',
    title: 'Calibration',
    help:
      'Accuracy by how sure the model is. The scores of a calibrated model are right about 65 % ' +
      'of the time when it is 60 to 70 % sure.',
    unit: 'share of held-out pairs',
    format: 'percent',
  },
  {
    id: 'true_reward_correlation',
    title: 'Score and true reward',
    help: 'Code knows the true reward of generated pairs. 1 means that the score follows it exactly.',
    unit: 'correlation',
    format: 'number',
  },
];
