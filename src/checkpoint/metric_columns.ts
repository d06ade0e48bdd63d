/**
 * Metrics as JSON lines: one object a row, a metric that was not measured left out (NaN in the
 * columns). Infinities, which JSON lacks, are the strings "Infinity" and "-Infinity". The same
 * lines are appended to a run in storage, where `{"resume": step}` says that the run went back to
 * that step, and that later rows no longer count.
 */
import type { MetricColumns } from '../common/index.ts';
import { CheckpointError } from './error.ts';
import { isRecord } from './json.ts';

/** Cells of the columns that are read at most (256 MB): a short line can widen every column. */
const MAX_CELLS = 2 ** 25;
const MAX_COLUMNS = 256;
const MAX_NAME = 64;

export function metricLines(columns: MetricColumns): string {
  const names = Object.keys(columns).filter((name) => name !== 'step');
  const lines: string[] = [];
  columns.step.forEach((step, i) => {
    const row: Record<string, number | string> = { step };
    for (const name of names) {
      const x = columns[name]?.[i] ?? NaN;
      if (!Number.isNaN(x)) row[name] = Number.isFinite(x) ? x : String(x);
    }
    lines.push(`${JSON.stringify(row)}\n`);
  });
  return lines.join('');
}

export const resumeLine = (step: number): string => `${JSON.stringify({ resume: step })}\n`;

/**
 * Reads lines back. A line that is not a row (cut short when the tab closed, say) is passed over.
 * Throws `too_large`.
 */
export function parseMetricLines(text: string): MetricColumns {
  const steps: number[] = [];
  const columns = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const row = parseRow(line);
    const resume = row?.get('resume');
    const step = row?.get('step');
    if (resume !== undefined) {
      while ((steps.at(-1) ?? -Infinity) > resume) steps.pop();
      for (const column of columns.values()) column.length = Math.min(column.length, steps.length);
    } else if (row && step !== undefined) {
      for (const [name, x] of row) if (name !== 'step') put(columns, name, steps.length, x);
      steps.push(step);
    }
  }
  if (steps.length * columns.size > MAX_CELLS)
    throw new CheckpointError(
      'too_large',
      'The saved metrics are too many to be read.',
      'Remove metrics.jsonl from the folder; the weights do not need it.',
    );
  const out: MetricColumns = { step: Float64Array.from(steps) };
  for (const [name, column] of columns)
    out[name] = Float64Array.from(steps, (_, i) => column[i] ?? NaN);
  return out;
}

function put(columns: Map<string, number[]>, name: string, row: number, x: number): void {
  let column = columns.get(name);
  if (!column) {
    if (columns.size >= MAX_COLUMNS) return;
    columns.set(name, (column = []));
  }
  while (column.length < row) column.push(NaN);
  column.push(x);
}

function parseRow(line: string): Map<string, number> | null {
  if (line === '') return null;
  try {
    const json: unknown = JSON.parse(line);
    if (!isRecord(json)) return null;
    const row = new Map<string, number>();
    for (const [name, value] of Object.entries(json)) {
      const x = value === 'Infinity' ? Infinity : value === '-Infinity' ? -Infinity : value;
      if (typeof x !== 'number' || name === '__proto__' || name.length > MAX_NAME) return null;
      row.set(name, x);
    }
    return row;
  } catch {
    return null;
  }
}
