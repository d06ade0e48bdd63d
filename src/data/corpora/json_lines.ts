/** JSON Lines: one object per line. */
import { wellFormed } from '../well_formed.ts';
import { columnName, malformedLine, type TextTable } from './table.ts';

/**
 * Reads one JSON object per line. Values that are not strings are read as JSON; null is no value.
 * `replaced` counts lone surrogates.
 *
 * @param name File name, for messages.
 * @throws DataError malformed_line
 */
export function readJsonLines(text: string, name: string): { table: TextTable; replaced: number } {
  const rows: Map<string, string>[] = [];
  let replaced = 0;
  const lines: string[] = [];
  const columns = new Set<string>();
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const row = jsonRow(line);
    if (row === null) throw malformedLine(`Line ${index + 1} of "${name}" is not a JSON object.`);
    // Only an escape can write half of a surrogate pair.
    if (/\\ud[89a-f]/iu.test(line)) replaced += makeWellFormed(row);
    for (const column of row.keys()) columns.add(column);
    rows.push(row);
    lines.push(line);
  }
  const table: TextTable = {
    columns: [...columns],
    rows: rows.length,
    value: (row, column) => rows[row]?.get(column),
    whole: (row) => lines[row] ?? '',
  };
  return { table, replaced };
}

/** Replaces lone surrogates in names and values, and counts them. */
function makeWellFormed(row: Map<string, string>): number {
  const entries = [...row].map(([key, value]) => [wellFormed(key), wellFormed(value)] as const);
  row.clear();
  let replaced = 0;
  for (const [key, value] of entries) {
    row.set(key.text, value.text);
    replaced += key.replaced + value.replaced;
  }
  return replaced;
}

function jsonRow(line: string): Map<string, string> | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const row = new Map<string, string>();
  for (const [key, field] of Object.entries(value)) {
    if (field === null) continue;
    row.set(columnName(key), typeof field === 'string' ? field : JSON.stringify(field));
  }
  return row;
}
