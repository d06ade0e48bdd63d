/**
 * The charts of a run: which metrics each draws, under what name and unit, in which colour. All of
 * it follows from the metric table (common/metrics.ts) and from what the objective adds to it.
 */
import { CHARTS, METRICS, type Chart, type Metric } from '../../common/index.ts';
import { bytes, compact, lossText, measure, percent, type ChartSeries } from '../../store/index.ts';

/** One metric of a chart. */
export interface DrawnSeries extends ChartSeries {
  label: string;
  colour: string;
  kind: 'line' | 'points';
  /** What the metric is, in one sentence. */
  help: string;
}

export interface ChartSpec {
  id: string;
  title: string;
  unit: string;
  /** What the chart shows, for a newcomer. */
  help?: string | undefined;
  series: readonly DrawnSeries[];
  format: (value: number) => string;
  /** Dashed reference lines: the text's baselines, or the planned memory. */
  references?: 'baselines' | 'plan' | undefined;
  /** Shown instead of the chart where the backend cannot measure it. */
  elsewhere?: string | undefined;
  /** A value that the vertical axis always includes. */
  floor?: number | undefined;
}

const FORMATS: Record<Chart['format'], (value: number) => string> = {
  loss: lossText,
  number: measure,
  compact,
  bytes,
  percent: (value) => percent(value),
  percent_precise: (value) => percent(value, 1),
};

/** Charts that have at least one metric, in the order of `charts`. */
export function chartSpecs(
  metrics: readonly Metric[] = METRICS,
  charts: readonly Chart[] = CHARTS,
): ChartSpec[] {
  return charts
    .map((chart) => specOf(chart, metrics))
    .filter((specification) => specification.series.length > 0);
}

/** Charts that tell more than the loss, by objective. */
const MAIN: Readonly<Record<string, readonly string[]>> = {
  reward: ['accuracy'],
  dpo: ['rewards_accuracies'],
  ppo: ['scores', 'reward', 'objective'],
  grpo: ['reward', 'rewards'],
};

/** The charts with the most telling one first: the loss, unless the objective has a better one. */
export function mainFirst(specs: ChartSpec[], objective = 'pretrain'): ChartSpec[] {
  const ids = MAIN[objective] ?? [];
  const main = specs.find(({ id }) => ids.includes(id));
  return main ? [main, ...specs.filter((spec) => spec !== main)] : specs;
}

function specOf(chart: Chart, metrics: readonly Metric[]): ChartSpec {
  const { id, title, help: chartHelp, unit, references, elsewhere, floor } = chart;
  const series = metrics.flatMap((metric) => {
    if (metric.series?.chart !== id) return [];
    const { label, colour, kind, smooth } = metric.series;
    const { name, help } = metric;
    return [{ metric: name, label, colour: `var(--c-${colour})`, kind, smooth, help }];
  });
  return {
    id,
    title,
    unit,
    help: chartHelp,
    format: FORMATS[chart.format],
    series,
    references,
    elsewhere,
    floor,
  };
}

/** Metrics that are an axis, not a chart. */
export const AXES = ['tokens', 'seconds'];
