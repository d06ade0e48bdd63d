import { describe, expect, it } from 'vitest';
import { MetricTable, Series, interpolate } from './columns.ts';

const filled = (values: readonly number[], capacity: number): Series => {
  const series = new Series(capacity);
  values.forEach((value, step) => series.append(step, value));
  return series;
};

describe('Series', () => {
  it('holds what is appended, growing past its first size', () => {
    const series = filled(
      Array.from({ length: 2000 }, (_, i) => i * 2),
      4096,
    );
    expect(series.length).toBe(2000);
    expect(series.first).toBe(0);
    expect(series.last).toBe(3998);
    expect([series.step[777], series.value[777]]).toEqual([777, 1554]);
  });

  it('stays within its capacity and keeps a spike through many halvings', () => {
    const series = filled(
      Array.from({ length: 40_000 }, (_, i) => (i === 123 ? 99 : Math.sin(i / 50))),
      1024,
    );
    expect(series.length).toBeLessThanOrEqual(1024);
    const spike = series.value.indexOf(99);
    expect(series.step[spike]).toBe(123);
    expect(series.last).toBeCloseTo(Math.sin(39_999 / 50), 12);
  });

  it('keeps its steps in order, first and last included, when it is flat', () => {
    const series = filled(
      Array.from({ length: 5000 }, () => 1),
      1024,
    );
    const steps = [...series.step];
    expect(steps).toEqual([...steps].sort((a, b) => a - b));
    expect(new Set(steps).size).toBe(steps.length);
    expect([steps[0], steps.at(-1)]).toEqual([0, 4999]);
  });

  it('forgets what comes after a step', () => {
    const series = filled([5, 4, 3, 2, 1], 16);
    series.truncateAfter(2);
    expect([...series.value]).toEqual([5, 4, 3]);
  });
});

describe('MetricTable', () => {
  it('leaves out what was not measured and counts its versions', () => {
    const table = new MetricTable();
    table.append({
      step: Float64Array.of(1, 2, 3),
      'train/loss': Float64Array.of(4, 3, NaN),
      'val/loss': Float64Array.of(NaN, 3.5, NaN),
      lr: Float64Array.of(0, Infinity, 1),
    });
    expect(table.version).toBe(1);
    expect([...(table.get('train/loss')?.step ?? [])]).toEqual([1, 2]);
    expect([...(table.get('val/loss')?.value ?? [])]).toEqual([3.5]);
    expect([...(table.get('lr')?.step ?? [])]).toEqual([1, 3]);
    expect(table.names).not.toContain('step');
  });
});

describe('interpolate', () => {
  const tokens = filled([], 16);
  tokens.append(10, 1000);
  tokens.append(20, 3000);
  it.each([
    [10, 1000],
    [15, 2000],
    [20, 3000],
    [25, 3000],
    [5, 500],
    [0, 0],
  ])('step %i is at %i', (step, expected) => {
    expect(interpolate(tokens, step)).toBe(expected);
  });
});
