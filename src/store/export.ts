/**
 * Metrics as files: the same names as metric keys everywhere (`step`, `train/loss`, `val/bpb`,
 * ...).
 */
import type { MetricTable } from './columns.ts';

/** Rows by step, ascending; a metric that was not measured at a step is absent. */
function metricRows(table: MetricTable): Map<number, Record<string, number>> {
  const rows = new Map<number, Record<string, number>>();
  for (const name of table.names) {
    const series = table.get(name);
    if (!series) continue;
    const { step, value } = series;
    for (let i = 0; i < step.length; i += 1) {
      const at = step[i] ?? NaN;
      const row = rows.get(at) ?? {};
      row[name] = value[i] ?? NaN;
      rows.set(at, row);
    }
  }
  return new Map([...rows].sort(([a], [b]) => a - b));
}

export function toCsv(table: MetricTable): string {
  const names = table.names;
  const lines = [['step', ...names].join(',')];
  for (const [step, row] of metricRows(table))
    lines.push([step, ...names.map((name) => row[name] ?? '')].join(','));
  return `${lines.join('\n')}\n`;
}

export function toJsonLines(table: MetricTable): string {
  return [...metricRows(table)]
    .map(([step, row]) => `${JSON.stringify({ step, ...row })}\n`)
    .join('');
}
