import { expect, it } from 'vitest';
import type { MetricColumns } from '../common/index.ts';
import { metricLines, parseMetricLines, resumeLine } from './metric_columns.ts';

const columns: MetricColumns = {
  step: Float64Array.of(1, 2, 3),
  'train/loss': Float64Array.of(0.1 + 0.2, NaN, Infinity),
  'val/loss': Float64Array.of(NaN, -Infinity, NaN),
};

it('keeps every bit of a number, and holes', () => {
  expect(parseMetricLines(metricLines(columns))).toEqual(columns);
  expect(parseMetricLines('')).toEqual({ step: new Float64Array() });
});
it('passes over a line that was cut short', () =>
  expect(parseMetricLines(metricLines(columns).slice(0, -4)).step).toEqual(Float64Array.of(1, 2)));
it('forgets what came after the step that a run went back to', () => {
  const text =
    metricLines(columns) +
    resumeLine(1) +
    metricLines({ step: Float64Array.of(2), 'train/loss': Float64Array.of(9) });
  expect(parseMetricLines(text)).toEqual({
    step: Float64Array.of(1, 2),
    'train/loss': Float64Array.of(0.1 + 0.2, 9),
    'val/loss': Float64Array.of(NaN, NaN),
  });
});
