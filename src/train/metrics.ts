import { METRICS, type MetricColumns, type MetricRow } from '../common/index.ts';

/** Collects rows between two flushes; rows of one step are merged. */
export class MetricBuffer {
  #rows: MetricRow[] = [];

  add(row: MetricRow): void {
    const last = this.#rows.at(-1);
    if (last?.step === row.step) Object.assign(last, row);
    else this.#rows.push({ ...row });
  }

  get size(): number {
    return this.#rows.length;
  }

  /** Returns all rows as columns, in the order of the metric table, and empties the buffer. */
  flush(): MetricColumns {
    const rows = this.#rows;
    this.#rows = [];
    const columns: MetricColumns = { step: Float64Array.from(rows, (row) => row.step) };
    for (const name of columnNames(rows)) {
      columns[name] = Float64Array.from(rows, (row) => row[name] ?? NaN);
    }
    return columns;
  }
}

/** Names with a value in some row: the table's metrics first, then the objective's own. */
function columnNames(rows: readonly MetricRow[]): string[] {
  const used = new Set<string>();
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) if (value !== undefined) used.add(name);
  }
  const known = METRICS.map((metric) => metric.name).filter((name) => used.delete(name));
  return [...known.filter((name) => name !== 'step'), ...used];
}
