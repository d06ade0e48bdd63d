/**
 * The charts: which metrics, under what name and unit, in which colour. The same metric has the
 * same colour everywhere.
 */
import { bytes, compact, lossText, measure, percent, type ChartSeries } from '../../store/index.ts';

export interface ChartSpec {
  id: string;
  title: string;
  unit: string;
  series: readonly (ChartSeries & { label: string; colour: string; kind: 'line' | 'points' })[];
  format: (value: number) => string;
  /** Dashed lines: a name and where the value comes from. */
  references?: 'baselines' | 'plan';
  /** Measured on WebGPU alone: what the chart says elsewhere. */
  elsewhere?: string;
  /** A range that is always shown: a share starts at nought. */
  floor?: number;
}

const line = (metric: string, label: string, colour: string, smooth = false) => ({
  metric,
  label,
  colour: `var(--c-${colour})`,
  smooth,
  kind: 'line' as const,
});
const points = (metric: string, label: string, colour: string) => ({
  metric,
  label,
  colour: `var(--c-${colour})`,
  smooth: false,
  kind: 'points' as const,
});

export const LOSS: ChartSpec = {
  id: 'loss',
  title: 'Loss',
  unit: 'nats a token',
  format: lossText,
  references: 'baselines',
  series: [line('train/loss', 'train', 'train', true), points('val/loss', 'validation', 'val')],
};

export const SMALL: readonly ChartSpec[] = [
  {
    id: 'lr',
    title: 'Learning rate',
    unit: '',
    format: measure,
    floor: 0,
    series: [line('lr', 'lr', 'lr')],
  },
  {
    id: 'grad',
    title: 'Gradient norm',
    unit: '',
    format: measure,
    floor: 0,
    series: [line('grad_norm', 'grad_norm', 'grad', true)],
  },
  {
    id: 'speed',
    title: 'Tokens a second',
    unit: '',
    format: compact,
    floor: 0,
    series: [line('train/tok_per_sec', 'tokens/s', 'speed', true)],
  },
  {
    id: 'time',
    title: 'Step time',
    unit: 'ms',
    format: measure,
    floor: 0,
    series: [line('step_ms', 'step', 'time', true)],
  },
  {
    id: 'gpu',
    title: 'GPU memory',
    unit: '',
    format: bytes,
    floor: 0,
    references: 'plan',
    elsewhere: 'Counted on WebGPU alone',
    series: [line('gpu_bytes', 'allocated', 'gpu'), line('gpu_live_bytes', 'live', 'heap')],
  },
  {
    id: 'heap',
    title: 'JS heap',
    unit: '',
    format: bytes,
    floor: 0,
    series: [line('js_heap_bytes', 'heap', 'heap')],
  },
  {
    id: 'accuracy',
    title: 'Accuracy',
    unit: '',
    format: (value) => percent(value, 1),
    floor: 0,
    series: [
      line('train/accuracy', 'train', 'train', true),
      points('val/accuracy', 'validation', 'val'),
    ],
  },
  {
    id: 'bpb',
    title: 'Bits per byte',
    unit: '',
    format: lossText,
    series: [points('val/bpb', 'validation', 'val')],
  },
  {
    id: 'perplexity',
    title: 'Perplexity',
    unit: '',
    format: measure,
    series: [points('val/perplexity', 'validation', 'val')],
  },
  {
    id: 'novel',
    title: 'Samples not in the text',
    unit: '',
    format: (value) => percent(value),
    floor: 0,
    series: [points('sample/novel', 'share', 'other')],
  },
];

/** Metrics that are an axis, not a chart. */
export const AXES = ['tokens', 'seconds'];
