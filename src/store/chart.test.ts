import { describe, expect, it } from 'vitest';
import {
  averageKey,
  chartData,
  nearestRow,
  overlayKey,
  readingAt,
  type ChartRow,
} from './chart.ts';
import type { Sample } from '../protocol/index.ts';
import { MetricTable } from './columns.ts';
import { toCsv, toJsonLines } from './export.ts';
import { addSample, MAX_SAMPLES, novelShare } from './samples.ts';
import { createView } from './view.ts';

const view = createView().getState();
function table(count: number): MetricTable {
  const made = new MetricTable();
  const step = Float64Array.from({ length: count }, (_, i) => i + 1);
  made.append({
    step,
    'train/loss': step.map((at) => (at === 1234 ? 50 : 4 / at)),
    'val/loss': step.map((at) => (at % 100 === 0 ? 3 : NaN)),
    tokens: step.map((at) => at * 64),
  });
  return made;
}
const LOSS = [
  { metric: 'train/loss', smooth: true },
  { metric: 'val/loss', smooth: false },
];

describe('chartData', () => {
  it('hands a chart at most 300 points a series, the spike among them, in order', () => {
    const { rows, y } = chartData(table(20_000), new Map(), LOSS, view);
    const raw = rows.filter((row) => row['train/loss'] !== undefined);
    expect(raw.length).toBeLessThanOrEqual(300);
    expect(rows.find((row) => row.x === 1234)?.['train/loss']).toBe(50);
    expect(y?.[1]).toBe(50);
    expect(rows.map((row) => row.x)).toEqual(rows.map((row) => row.x).toSorted((a, b) => a - b));
    expect(raw.every((row) => row[averageKey('train/loss')] !== undefined)).toBe(true);
    expect(rows.filter((row) => row['val/loss'] !== undefined)).toHaveLength(200);
  });
  it('shows more detail of a zoomed part, and takes tokens as the axis', () => {
    const { rows, x } = chartData(table(10_000), new Map(), LOSS, {
      ...view,
      axis: 'tokens',
      zoom: [6400, 12_800],
    });
    expect(x?.[0]).toBeCloseTo(6400 - 64, 6);
    expect(rows.length).toBeGreaterThanOrEqual(100);
  });
  it('leaves out what a logarithm cannot show', () => {
    const made = new MetricTable();
    made.append({ step: Float64Array.of(1, 2), lr: Float64Array.of(0, 1) });
    expect(
      chartData(made, new Map(), [{ metric: 'lr', smooth: false }], { ...view, logY: true }).rows,
    ).toHaveLength(1);
  });
  it('lays another run under with half the points', () => {
    const { rows } = chartData(table(10), new Map([['old', table(20_000)]]), LOSS, view);
    const under = rows.filter((row) => row[overlayKey('old', 'train/loss')] !== undefined);
    // A falling line needs but two points a bucket.
    expect(under.length).toBeGreaterThan(70);
    expect(under.length).toBeLessThanOrEqual(150);
  });
  it('shows the first steps in full on a logarithmic axis, and the spike', () => {
    const { rows } = chartData(table(10_000), new Map(), LOSS, { ...view, logX: true });
    const raw = rows.filter((row) => row['train/loss'] !== undefined);
    expect(raw.slice(0, 10).map((row) => row.x)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(raw.length).toBeLessThanOrEqual(300);
    expect(raw.find((row) => row.x === 1234)?.['train/loss']).toBe(50);
  });
  it('draws the validation points of another run, too', () => {
    const { rows } = chartData(table(10), new Map([['old', table(1000)]]), LOSS, view);
    expect(rows.filter((row) => row[overlayKey('old', 'val/loss')] === 3)).toHaveLength(10);
  });
});

describe('nearestRow', () => {
  it.each([
    [0, 0],
    [2.4, 0],
    [2.6, 1],
    [100, 2],
  ])('to %d is %i', (x, index) => {
    expect(nearestRow([{ x: 2 }, { x: 3 }, { x: 9 }], x)).toBe(index);
  });
});

describe('readingAt', () => {
  const rows: ChartRow[] = [{ x: 1, a: 5 }, { x: 2 }, { x: 3, b: 7 }, { x: 9, a: 6 }];
  it('is the nearest point that the series has', () => {
    expect(readingAt(rows, 'a', 2.2)).toEqual({ x: 1, value: 5 });
    expect(readingAt(rows, 'a', 8)).toEqual({ x: 9, value: 6 });
    expect(readingAt(rows, 'b', 100)).toEqual({ x: 3, value: 7 });
  });
  it('is null for a series without points', () => {
    expect(readingAt(rows, 'c', 2)).toBeNull();
  });
});

describe('metrics as files', () => {
  it('has one row a step, with the names as they are', () => {
    const made = table(100);
    expect(toCsv(made).split('\n').slice(0, 2)).toEqual([
      'step,train/loss,val/loss,tokens',
      '1,4,,64',
    ]);
    const lines = toJsonLines(made)
      .trim()
      .split('\n')
      .map((line): unknown => JSON.parse(line));
    expect(lines).toHaveLength(100);
    expect(lines.at(-1)).toEqual({ step: 100, 'train/loss': 0.04, 'val/loss': 3, tokens: 6400 });
  });
});

describe('samples', () => {
  const sample = (step: number, memorized = false) => ({ step, prompt: '', tokens: [], memorized });
  it('stay bounded, keep the first and the last, and thin the older half', () => {
    let samples: Sample[] = [sample(0)];
    for (let step = 1; step < 1000; step += 1) samples = addSample(samples, sample(step));
    expect(samples.length).toBeLessThanOrEqual(MAX_SAMPLES);
    expect([samples[0]?.step, samples.at(-1)?.step]).toEqual([0, 999]);
  });
  it('give the share that is new, of those that were written', () => {
    const unread = { ...sample(4), problem: 'No.' };
    expect(novelShare([sample(1), sample(2, true), unread, sample(3), sample(4)])).toBe(0.75);
    expect(novelShare([unread])).toBeNaN();
  });
});
