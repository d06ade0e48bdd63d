import { describe, expect, it } from 'vitest';
import type { MetricColumns } from '../../common/index.ts';
import { CheckpointError } from '../error.ts';
import { metricLines, parseMetricLines } from '../metric_columns.ts';
import { seeded } from '../testing_states.ts';
import { MetricsWriter } from './metrics_writer.ts';

const rows = (...steps: number[]): MetricColumns => ({
  step: Float64Array.from(steps),
  loss: Float64Array.from(steps, (step) => step / 8),
});

const failure = () => new CheckpointError('storage_busy', 'It failed.', 'Try again.');

/** A file whose appends take time; `fails` decides about each, and `torn` leaves half of its text. */
class SlowFile {
  text = '';
  appends = 0;
  inFlight = 0;
  readonly fails: (append: number) => boolean;
  readonly torn: boolean;

  constructor(fails: (append: number) => boolean = () => false, torn = false) {
    this.fails = fails;
    this.torn = torn;
  }

  readonly append = async (text: string): Promise<void> => {
    const number = ++this.appends;
    this.inFlight++;
    expect(this.inFlight, 'appends in flight').toBe(1);
    await new Promise((resolve) => setTimeout(resolve, 1));
    this.inFlight--;
    if (!this.fails(number)) {
      this.text += text;
      return;
    }
    if (this.torn) this.text += text.slice(0, text.length >> 1);
    throw failure();
  };
}

describe('MetricsWriter', () => {
  it('writes overlapping flushes in the order of their rows', async () => {
    const file = new SlowFile();
    const writer = new MetricsWriter(file.append);
    writer.add(rows(1));
    writer.add(rows(2, 3));
    const first = writer.flush();
    writer.add(rows(4));
    const second = writer.flush();
    await Promise.all([first, second]);
    expect(file.text).toBe(metricLines(rows(1, 2, 3, 4)));
    expect(writer.pending).toBe(0);
  });

  it('keeps rows until the append has succeeded, and repeats it with the next flush', async () => {
    const file = new SlowFile((append) => append < 3);
    const writer = new MetricsWriter(file.append);
    writer.add(rows(1, 2));
    await expect(writer.flush()).rejects.toThrow('It failed.');
    expect(writer.pending).toBe(2);
    writer.add(rows(3));
    await expect(writer.flush()).rejects.toThrow('It failed.');
    expect(writer.pending).toBe(3);
    expect(parseMetricLines(writer.pendingLines)).toEqual(rows(1, 2, 3));
    await writer.flush();
    expect(writer.pending).toBe(0);
    expect(file.text.trimStart()).toBe(metricLines(rows(1, 2, 3)));
  });

  it('keeps rows that are added while an append is in flight', async () => {
    const file = new SlowFile();
    const writer = new MetricsWriter(file.append);
    writer.add(rows(1));
    const flushed = writer.flush();
    await Promise.resolve();
    await Promise.resolve();
    expect(file.appends).toBe(1);
    writer.add(rows(2));
    await flushed;
    expect(writer.pending).toBe(1);
    await writer.flush();
    expect(file.text).toBe(metricLines(rows(1, 2)));
  });

  it('lets a flush succeed that was waiting for a failing one', async () => {
    const file = new SlowFile((append) => append === 1);
    const writer = new MetricsWriter(file.append);
    writer.add(rows(1));
    const first = writer.flush();
    writer.add(rows(2));
    const second = writer.flush();
    await expect(first).rejects.toThrow('It failed.');
    await second;
    expect(parseMetricLines(file.text)).toEqual(rows(1, 2));
    expect(writer.pending).toBe(0);
  });

  it('appends nothing when nothing is pending', async () => {
    const file = new SlowFile();
    const writer = new MetricsWriter(file.append);
    writer.add({ step: new Float64Array() });
    await writer.flush();
    expect(file.appends).toBe(0);
  });

  it('does not depend on the columns after adding them', async () => {
    const file = new SlowFile();
    const writer = new MetricsWriter(file.append);
    const columns = rows(1);
    writer.add(columns);
    columns.step[0] = 7;
    await writer.flush();
    expect(file.text).toBe(metricLines(rows(1)));
  });

  it('orders a rewind among the rows, also when its append fails', async () => {
    const file = new SlowFile((append) => append === 2);
    const writer = new MetricsWriter(file.append);
    writer.add(rows(1, 2, 3));
    await writer.flush();
    writer.rewind(1);
    await expect(writer.flush()).rejects.toThrow('It failed.');
    writer.add({ step: Float64Array.of(2), loss: Float64Array.of(9) });
    await writer.flush();
    expect(parseMetricLines(file.text)).toEqual({
      step: Float64Array.of(1, 2),
      loss: Float64Array.of(0.125, 9),
    });
  });

  it.each([false, true])(
    'loses and duplicates no row over random failures (torn writes: %s)',
    async (torn) => {
      for (let seed = 1; seed <= 40; seed++) {
        const random = seeded(seed);
        const file = new SlowFile(() => random() < 0.4, torn);
        const writer = new MetricsWriter(file.append);
        const flushes: Promise<void>[] = [];
        for (let step = 1; step <= 30; step++) {
          writer.add(rows(step));
          if (random() < 0.5) flushes.push(writer.flush().catch(() => undefined));
          if (random() < 0.2) await Promise.all(flushes);
        }
        while (writer.pending > 0) await writer.flush().catch(() => undefined);
        await Promise.all(flushes);
        const all = rows(...Array.from({ length: 30 }, (_, i) => i + 1));
        expect(parseMetricLines(file.text)).toEqual(all);
        if (!torn) expect(file.text.replace(/^\n+/gm, '')).toBe(metricLines(all));
      }
    },
  );
});
