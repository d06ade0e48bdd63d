import { describe, expect, it, vi } from 'vitest';
import type { MetricColumns } from '../common/index.ts';
import { metricLines, parseMetricLines, resumeLine } from './metric_columns.ts';
import { codeOf } from './testing_states.ts';

const columns: MetricColumns = {
  step: Float64Array.of(1, 2, 3),
  'train/loss': Float64Array.of(0.1 + 0.2, NaN, Infinity),
  'val/loss': Float64Array.of(NaN, -Infinity, NaN),
};

const row = (step: number, values: Record<string, number>): string =>
  `${JSON.stringify({ step, ...values })}\n`;

it('keeps every bit of a number, and values that were not measured', () => {
  expect(parseMetricLines(metricLines(columns))).toEqual(columns);
  expect(parseMetricLines('')).toEqual({ step: new Float64Array() });
});

it('writes the same lines again', () => {
  const lines = metricLines(columns);
  expect(metricLines(parseMetricLines(lines))).toBe(lines);
});

it('skips a line that was cut short', () => {
  const cut = metricLines(columns).slice(0, -4);
  expect(parseMetricLines(cut).step).toEqual(Float64Array.of(1, 2));
});

it('drops what came after the step that a run went back to', () => {
  const later = { step: Float64Array.of(2), 'train/loss': Float64Array.of(9) };
  expect(parseMetricLines(metricLines(columns) + resumeLine(1) + metricLines(later))).toEqual({
    step: Float64Array.of(1, 2),
    'train/loss': Float64Array.of(0.1 + 0.2, 9),
    'val/loss': Float64Array.of(NaN, NaN),
  });
});

describe('files made to fill the memory', () => {
  const seconds = (action: () => void): number => {
    const before = process.cpuUsage();
    action();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  };
  const wide = (step: number, count: number): string =>
    row(step, Object.fromEntries(Array.from({ length: count }, (_, i) => [`m${i}`, 0])));
  const short = (rows: number): string =>
    Array.from({ length: rows }, (_, i) => `{"step":${i + 2}}`).join('\n');

  it('are refused before their columns are made', () => {
    const longestArray = vi.spyOn(Float64Array.prototype, 'fill');
    const spent = seconds(() => {
      expect(codeOf(() => parseMetricLines(wide(1, 250) + short(128_000)))).toBe('too_large');
    });
    expect(longestArray).not.toHaveBeenCalled();
    expect(spent).toBeLessThan(5);
    longestArray.mockRestore();
  });

  it.each([
    ['broken lines', '{x}\n'.repeat(20_000), 'bad_json'],
    ['lines without end', `{"step":${'1'.repeat(2 ** 17)}}`, 'read'],
    ['lines that are no rows', 'x\n'.repeat(2 ** 20), 'read'],
    ['deep nesting', `{"step":1,"x":${'['.repeat(20_000)}${']'.repeat(20_000)}}`, 'read'],
  ])('take less than 5 seconds: %s', (_, lines, expected) => {
    const spent = seconds(() => {
      const read = (): string => {
        const { step } = parseMetricLines(lines);
        return step.length === 0 ? 'read' : 'rows';
      };
      if (expected === 'read') expect(read()).toBe('read');
      else expect(codeOf(read)).toBe(expected);
    });
    expect(spent).toBeLessThan(5);
  });

  it('do not keep a long run with metrics of few steps from being read', () => {
    const rows = Array.from({ length: 50_000 }, (_, i) => row(i, { loss: i / 3, lr: 1e-3 }));
    const read = parseMetricLines(wide(-1, 60) + rows.join(''));
    expect(Object.keys(read)).toHaveLength(63);
    expect(read.step).toHaveLength(50_001);
  });
});

describe('files of earlier versions', () => {
  it('have their rows sorted by step', () => {
    const lines = [1, 4, 2, 3, 5].map((step) => row(step, { loss: 10 * step })).join('');
    expect(parseMetricLines(lines)).toEqual({
      step: Float64Array.of(1, 2, 3, 4, 5),
      loss: Float64Array.of(10, 20, 30, 40, 50),
    });
  });

  it('have rows of one step merged; the later measurement of a metric wins', () => {
    const lines =
      row(2, { 'train/loss': 1, lr: 0.5 }) +
      row(1, { 'train/loss': 3 }) +
      row(2, { 'val/loss': 7, lr: 0.25 });
    expect(parseMetricLines(lines)).toEqual({
      step: Float64Array.of(1, 2),
      'train/loss': Float64Array.of(3, 1),
      lr: Float64Array.of(NaN, 0.25),
      'val/loss': Float64Array.of(NaN, 7),
    });
  });

  it('have every row dropped that a resume line invalidates, wherever it is', () => {
    const lines =
      row(1, { a: 1 }) +
      row(6, { a: 6 }) +
      row(2, { a: 2 }) +
      row(5, { a: 5 }) +
      row(3, { a: 3 }) +
      resumeLine(3) +
      row(4, { a: 40 }) +
      row(6, { a: 60 }) +
      row(5, { a: 50 }) +
      resumeLine(5);
    expect(parseMetricLines(lines)).toEqual({
      step: Float64Array.of(1, 2, 3, 4, 5),
      a: Float64Array.of(1, 2, 3, 40, 50),
    });
  });

  it('have the lowest of several resume lines applied to the rows before them', () => {
    const lines = row(1, { a: 1 }) + row(3, { a: 3 }) + resumeLine(1) + row(2, { a: 2 });
    expect(parseMetricLines(lines + resumeLine(9)).step).toEqual(Float64Array.of(1, 2));
  });

  it('may have as many resume lines as rows', () => {
    const count = 40_000;
    const lines = Array.from({ length: count }, (_, i) => row(i, { a: i }) + resumeLine(i));
    expect(parseMetricLines(lines.join('')).step.length).toBe(count);
  });

  it('have rows without a finite step skipped', () =>
    expect(parseMetricLines('{"step":"Infinity","a":1}\n{"a":2}\n{"step":3}\n')).toEqual({
      step: Float64Array.of(3),
    }));
});
