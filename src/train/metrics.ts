/**
 * The one table of metrics: name, unit, chart, how values between two flushes are reduced. Names
 * are nanochat's and nanoGPT's where they have one.
 */

export interface Metric {
  name: string;
  unit: '' | 'nats/token' | 'bits/byte' | 'tokens/s' | 'ms' | 'bytes' | 's' | 'tokens' | 'share';
  chart:
    | 'loss'
    | 'bpb'
    | 'perplexity'
    | 'accuracy'
    | 'learning_rate'
    | 'gradient'
    | 'speed'
    | 'time'
    | 'memory'
    | 'heap'
    | 'memorized'
    | null;
  /** What it is, one line. */
  help: string;
}

export const METRICS = [
  { name: 'step', unit: '', chart: null, help: 'Optimizer steps taken.' },
  { name: 'tokens', unit: 'tokens', chart: null, help: 'Training tokens seen so far.' },
  { name: 'seconds', unit: 's', chart: null, help: 'Seconds of training so far, pauses left out.' },
  {
    name: 'train/loss',
    unit: 'nats/token',
    chart: 'loss',
    help: 'Cross-entropy of the step’s batch.',
  },
  {
    name: 'train/accuracy',
    unit: 'share',
    chart: 'accuracy',
    help: 'Share of the batch’s tokens that were the model’s first choice.',
  },
  { name: 'val/loss', unit: 'nats/token', chart: 'loss', help: 'Cross-entropy on held-out text.' },
  {
    name: 'val/bpb',
    unit: 'bits/byte',
    chart: 'bpb',
    help: 'Bits per byte of held-out text: compares across tokenizers.',
  },
  {
    name: 'val/perplexity',
    unit: '',
    chart: 'perplexity',
    help: 'Exponential of the validation loss.',
  },
  {
    name: 'val/accuracy',
    unit: 'share',
    chart: 'accuracy',
    help: 'Share of held-out tokens that were the model’s first choice.',
  },
  { name: 'lr', unit: '', chart: 'learning_rate', help: 'Learning rate of the step.' },
  {
    name: 'grad_norm',
    unit: '',
    chart: 'gradient',
    help: 'Norm of the whole gradient before clipping.',
  },
  {
    name: 'skipped_steps',
    unit: '',
    chart: null,
    help: 'Steps of this session left out, since a number in them was too large for half precision.',
  },
  {
    name: 'train/tok_per_sec',
    unit: 'tokens/s',
    chart: 'speed',
    help: 'Training tokens a second.',
  },
  { name: 'step_ms', unit: 'ms', chart: 'time', help: 'Milliseconds a step.' },
  { name: 'gpu_bytes', unit: 'bytes', chart: 'memory', help: 'GPU buffers that exist now.' },
  {
    name: 'gpu_live_bytes',
    unit: 'bytes',
    chart: 'memory',
    help: 'Of these, what is not waiting in a pool to be used again.',
  },
  {
    name: 'js_heap_bytes',
    unit: 'bytes',
    chart: 'heap',
    help: 'JavaScript heap of page and worker, where the browser tells; the page measures it.',
  },
  {
    name: 'sample/novel',
    unit: 'share',
    chart: 'memorized',
    help: 'Share of the samples that do not stand word for word in the training text.',
  },
] as const satisfies readonly Metric[];

export type MetricName = (typeof METRICS)[number]['name'];
export type MetricRow = Partial<Record<MetricName, number>> & { step: number };

/** Columns of equal length, NaN where a metric was not measured at that step. */
export type Columns = { step: Float64Array } & Record<string, Float64Array>;

/** Collects rows between two flushes. Rows of one step are merged. */
export class MetricBuffer {
  private rows: MetricRow[] = [];

  add(row: MetricRow): void {
    const last = this.rows[this.rows.length - 1];
    if (last && last.step === row.step) Object.assign(last, row);
    else this.rows.push({ ...row });
  }

  get size(): number {
    return this.rows.length;
  }

  /** All rows as columns, and none are left. */
  flush(): Columns {
    const rows = this.rows;
    this.rows = [];
    const names = METRICS.map((m) => m.name).filter((name) =>
      rows.some((r) => r[name] !== undefined),
    );
    const columns: Columns = { step: Float64Array.from(rows, (r) => r.step) };
    for (const name of names) columns[name] = Float64Array.from(rows, (r) => r[name] ?? NaN);
    return columns;
  }
}
