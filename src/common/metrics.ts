/**
 * The one table of metrics. Rows, columns, CSV, charts and the page's catalogue follow from it. An
 * objective appends metrics of its own (`Objective.metrics`); the worker sends both to the page when
 * a run starts. Names are nanochat's, nanoGPT's and TRL's where they have one.
 */

export type MetricUnit =
  '' | 'nats/token' | 'bits/byte' | 'tokens/s' | 'ms' | 'bytes' | 's' | 'tokens' | 'share';

/** A colour token of the page's theme: `var(--c-NAME)`. The same metric has the same colour. */
export type MetricColour =
  'train' | 'val' | 'lr' | 'grad' | 'speed' | 'time' | 'gpu' | 'heap' | 'other';

export interface MetricSeries {
  /** Id of a chart in CHARTS, or of one that the objective brings. */
  chart: string;
  /** Legend entry. */
  label: string;
  colour: MetricColour;
  /** A value per step is a line, a value per evaluation is a series of points. */
  kind: 'line' | 'points';
  /** Draw the raw values faint, under their moving average. */
  smooth: boolean;
}

export interface Metric {
  name: string;
  unit: MetricUnit;
  /** Null for a metric that is an axis or is not drawn. */
  series: MetricSeries | null;
  /** How values of one step from several micro-batches or ranks combine. */
  reduction: 'sum' | 'mean' | 'max' | 'last';
  /** One sentence. */
  help: string;
}

export interface Chart {
  id: string;
  title: string;
  /** What the chart shows, in words that need no background; shown on demand beside the title. */
  help?: string;
  /** Printed beside the title. */
  unit: string;
  format: 'loss' | 'number' | 'compact' | 'bytes' | 'percent' | 'percent_precise';
  /** Dashed reference lines: the text's baselines, or the plan's memory. */
  references?: 'baselines' | 'plan';
  /** Shown instead of the chart on backends that cannot measure it. */
  elsewhere?: string;
  /** A value that the vertical axis always includes. */
  floor?: number;
}

const line = (
  chart: string,
  label: string,
  colour: MetricColour,
  smooth = false,
): MetricSeries => ({ chart, label, colour, kind: 'line', smooth });

const points = (chart: string, label: string, colour: MetricColour): MetricSeries => ({
  chart,
  label,
  colour,
  kind: 'points',
  smooth: false,
});

/** Metrics of every run, whatever its objective. */
export const METRICS = [
  {
    name: 'step',
    unit: '',
    series: null,
    reduction: 'last',
    help: 'Optimizer steps taken.',
  },
  {
    name: 'tokens',
    unit: 'tokens',
    series: null,
    reduction: 'last',
    help: 'Training tokens seen so far.',
  },
  {
    name: 'seconds',
    unit: 's',
    series: null,
    reduction: 'last',
    help: 'Seconds of training so far, without pauses.',
  },
  {
    name: 'train/loss',
    unit: 'nats/token',
    series: line('loss', 'train', 'train', true),
    reduction: 'sum',
    help: 'Loss on the batch of this step.',
  },
  {
    name: 'train/accuracy',
    unit: 'share',
    series: line('accuracy', 'train', 'train', true),
    reduction: 'sum',
    help: 'Share of the batch’s tokens that were the model’s first choice.',
  },
  {
    name: 'val/loss',
    unit: 'nats/token',
    series: points('loss', 'validation', 'val'),
    reduction: 'sum',
    help: 'Loss on held-out text, which the model never trains on.',
  },
  {
    name: 'val/bpb',
    unit: 'bits/byte',
    series: points('bpb', 'validation', 'val'),
    reduction: 'last',
    help: 'Bits that the model needs per byte of held-out text.',
  },
  {
    name: 'val/perplexity',
    unit: '',
    series: points('perplexity', 'validation', 'val'),
    reduction: 'last',
    help: 'Exponential of the validation loss (e to its power).',
  },
  {
    name: 'val/accuracy',
    unit: 'share',
    series: points('accuracy', 'validation', 'val'),
    reduction: 'sum',
    help: 'Share of held-out tokens that were the model’s first choice.',
  },
  {
    name: 'lr',
    unit: '',
    series: line('lr', 'learning rate', 'lr'),
    reduction: 'last',
    help: 'Learning rate of the step.',
  },
  {
    name: 'grad_norm',
    unit: '',
    series: line('grad', 'gradient norm', 'grad', true),
    reduction: 'last',
    help: 'Norm of the whole gradient before clipping.',
  },
  {
    name: 'skipped_steps',
    unit: '',
    series: null,
    reduction: 'last',
    help: 'Steps of this session skipped because a float16 value overflowed.',
  },
  {
    name: 'train/tok_per_sec',
    unit: 'tokens/s',
    series: line('speed', 'tokens/s', 'speed', true),
    reduction: 'sum',
    help: 'Training tokens per second.',
  },
  {
    name: 'step_ms',
    unit: 'ms',
    series: line('time', 'step', 'time', true),
    reduction: 'max',
    help: 'Milliseconds per step.',
  },
  {
    name: 'gpu_bytes',
    unit: 'bytes',
    series: line('gpu', 'allocated', 'gpu'),
    reduction: 'sum',
    help: 'Memory that the run holds: GPU buffers, or blocks of the engine on the processor.',
  },
  {
    name: 'gpu_live_bytes',
    unit: 'bytes',
    series: line('gpu', 'live', 'heap'),
    reduction: 'sum',
    help: 'GPU buffers in use, without those that a pool keeps for reuse.',
  },
  {
    name: 'js_heap_bytes',
    unit: 'bytes',
    series: line('heap', 'heap', 'heap'),
    reduction: 'sum',
    help: 'JavaScript heap of page and worker, where the browser reports it.',
  },
  {
    name: 'sample/novel',
    unit: 'share',
    series: points('novel', 'share', 'other'),
    reduction: 'last',
    help: 'Share of the samples that are not copied from the training text.',
  },
] as const satisfies readonly Metric[];

/** Charts of every run, in the order of the page. The first is the large one. */
export const CHARTS: readonly Chart[] = [
  {
    id: 'loss',
    title: 'Loss',
    help:
      'How much the next token surprises the model; lower is better. It is measured in nats, the ' +
      'natural unit of information: a loss of 2.3 is as unsure as a choice between 10 equally ' +
      'likely tokens.',
    unit: 'nats per token',
    format: 'loss',
    references: 'baselines',
  },
  {
    id: 'lr',
    title: 'Learning rate',
    help: 'The size of the optimizer’s steps. It follows the schedule of the recipe.',
    unit: '',
    format: 'number',
    floor: 0,
  },
  {
    id: 'grad',
    title: 'Gradient norm',
    help:
      'The length of the gradient: one number for how strongly a batch wants to change the ' +
      'model. Sudden peaks are a sign of unstable training.',
    unit: '',
    format: 'number',
    floor: 0,
  },
  {
    id: 'speed',
    title: 'Tokens per second',
    help: 'A token is a piece of text: a letter or part of a word, depending on the tokenizer.',
    unit: '',
    format: 'compact',
    floor: 0,
  },
  { id: 'time', title: 'Step time', unit: 'ms', format: 'number', floor: 0 },
  {
    id: 'gpu',
    title: 'Memory',
    help:
      'What the run holds on the device that computes: buffers of the GPU, or memory of the engine ' +
      'on the processor.',
    unit: '',
    format: 'bytes',
    floor: 0,
    references: 'plan',
    elsewhere: 'not measured on this backend',
  },
  { id: 'heap', title: 'JS heap', unit: '', format: 'bytes', floor: 0 },
  {
    id: 'accuracy',
    title: 'Accuracy',
    help: 'How often the token that the model thinks most likely is the one that comes next.',
    unit: '',
    format: 'percent_precise',
    floor: 0,
  },
  {
    id: 'bpb',
    title: 'Bits per byte',
    help:
      'The loss per byte of text instead of per token, so that models with different ' +
      'tokenizers can be compared. Lower is better.',
    unit: '',
    format: 'loss',
  },
  {
    id: 'perplexity',
    title: 'Perplexity',
    help:
      'The loss as a number of choices: at a perplexity of 10, the model is as unsure as if it ' +
      'chose between 10 equally likely tokens.',
    unit: '',
    format: 'number',
  },
  { id: 'novel', title: 'Samples not in the text', unit: '', format: 'percent', floor: 0 },
];

/** Values measured at one step, by metric name. An objective may log names beyond METRICS. */
export type MetricRow = { step: number } & Partial<Record<string, number>>;

/** Columns of one length by metric name; NaN where a metric was not measured at that step. */
export type MetricColumns = { step: Float64Array } & Record<string, Float64Array>;
