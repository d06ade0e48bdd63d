/**
 * How earlier versions (split version 1) chose delimiter and column, so that their runs continue on
 * the text that they were trained on. A column that the user chose was saved with the run.
 */
import type { TableFormat } from '../../common/index.ts';
import type { TextTable } from './table.ts';

const SAMPLED_ROWS = 100;
const USUAL_NAMES = ['text', 'content', 'story', 'sentence', 'document', 'body'];

/** The format of the delimiter that occurs most often in the header. */
export function legacyFormat(text: string): TableFormat {
  const header = text.slice(0, text.indexOf('\n') + 1 || undefined);
  const count = (delimiter: string): number => header.split(delimiter).length;
  if (count('\t') > Math.max(count(','), count(';'))) return 'tab_quoted';
  return count(';') > count(',') ? 'semicolon' : 'comma';
}

/** The column with a usual name, else the longest; undefined if no sampled row has text. */
export function legacyColumn(table: TextTable): string | undefined {
  const sampled = Array.from({ length: Math.min(SAMPLED_ROWS, table.rows) }, (_, row) => row);
  const columns = table.columns.filter((column) =>
    sampled.some((row) => {
      const value = table.value(row, column) ?? '';
      return value.trim() !== '' && Number.isNaN(Number(value));
    }),
  );
  const usual = USUAL_NAMES.find((column) => columns.includes(column));
  if (usual !== undefined) return usual;
  const length = (column: string): number =>
    sampled.reduce((sum, row) => sum + (table.value(row, column)?.length ?? 0), 0);
  const [first, ...others] = columns;
  if (first === undefined) return undefined;
  return others.reduce((best, column) => (length(column) > length(best) ? column : best), first);
}
