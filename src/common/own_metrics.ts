/** What an objective adds to the tables of metrics and charts. */
import { type Chart, CHARTS, type Metric, METRICS } from './metrics.ts';

/** The table of a run: an objective's metric takes the place of that of the same name. */
export function metricsWith(own: readonly Metric[]): Metric[] {
  return replaced(METRICS, own, ({ name }) => name);
}

/** The same for charts, by id. */
export function chartsWith(own: readonly Chart[]): Chart[] {
  return replaced(CHARTS, own, ({ id }) => id);
}

function replaced<T>(table: readonly T[], own: readonly T[], keyOf: (entry: T) => string): T[] {
  const byKey = new Map(own.map((entry) => [keyOf(entry), entry]));
  const known = new Set(table.map(keyOf));
  return [
    ...table.map((entry) => byKey.get(keyOf(entry)) ?? entry),
    ...own.filter((entry) => !known.has(keyOf(entry))),
  ];
}
