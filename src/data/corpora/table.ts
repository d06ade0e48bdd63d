/** Rows of .csv and .jsonl files, and the column that is the text. */
import { DataError } from '../errors.ts';
import { csvRecords, malformedLine } from './csv.ts';

/** Values by column name. */
export type Row = Map<string, string>;

export interface TextTable {
  /** Columns that hold text. */
  columns: string[];
  rows: Row[];
}

/** Number of rows that decide which columns hold text. */
const SAMPLED_ROWS = 100;

/** Usual names of a text column, the likeliest first. */
const USUAL_NAMES = ['text', 'content', 'story', 'sentence', 'document', 'body'];

/**
 * Reads one JSON object per line, and of those only the values that are strings.
 *
 * @param name File name, for messages.
 * @throws DataError malformed_line
 */
export function readJsonLines(text: string, name: string): TextTable {
  const rows: Row[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const row = jsonRow(line);
    if (row === null) throw malformedLine(`Line ${index + 1} of "${name}" is not a JSON object.`);
    rows.push(row);
  }
  return { columns: textColumns(rows), rows };
}

function jsonRow(line: string): Row | null {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const row: Row = new Map();
  for (const [key, field] of Object.entries(value))
    if (typeof field === 'string') row.set(key, field);
  return row;
}

/**
 * Reads comma-separated values (RFC 4180) with a header. The delimiter is the one of comma,
 * semicolon and tab that occurs most often in the header.
 *
 * @param name File name, for messages.
 * @throws DataError malformed_line
 */
export function readCsv(text: string, name: string): TextTable {
  const records = csvRecords(text, delimiterOf(text), name);
  const header = (records.shift() ?? []).map((column, i) => column.trim() || `column ${i + 1}`);
  const rows = records.map(
    (fields) => new Map(header.map((column, i) => [column, fields[i] ?? ''])),
  );
  const columns = textColumns(rows);
  return { columns: columns.length > 0 ? columns : header, rows };
}

function delimiterOf(text: string): string {
  const header = text.slice(0, text.indexOf('\n') + 1 || undefined);
  const count = (delimiter: string) => header.split(delimiter).length;
  return [',', ';', '\t'].reduce((best, delimiter) =>
    count(delimiter) > count(best) ? delimiter : best,
  );
}

/** Columns in which one of the sampled rows has a value that is not a number. */
function textColumns(rows: readonly Row[]): string[] {
  const columns = new Set<string>();
  for (const row of rows.slice(0, SAMPLED_ROWS)) {
    for (const [column, value] of row)
      if (value.trim() !== '' && Number.isNaN(Number(value))) columns.add(column);
  }
  return [...columns];
}

/**
 * Returns the requested column, else the one with a usual name, else the one with the longest texts.
 *
 * @param requested Undefined or empty if the user has not chosen one.
 * @param name File name, for messages.
 * @throws DataError unknown_column
 */
export function chooseColumn(
  table: TextTable,
  requested: string | undefined,
  name: string,
): string {
  const { columns, rows } = table;
  if (requested) {
    if (columns.includes(requested) || rows.some((row) => row.has(requested))) return requested;
    const hint = columns.length > 0 ? `Choose one of: ${columns.join(', ')}.` : NEEDS_TEXT_COLUMN;
    throw new DataError('unknown_column', `"${name}" has no column "${requested}".`, hint);
  }
  const chosen = USUAL_NAMES.find((column) => columns.includes(column)) ?? longestColumn(table);
  if (chosen === undefined)
    throw new DataError('unknown_column', `"${name}" has no column of text.`, NEEDS_TEXT_COLUMN);
  return chosen;
}

const NEEDS_TEXT_COLUMN = 'Choose a file with a column of text.';

/** The first of the columns with the most text in the sampled rows. */
function longestColumn({ columns, rows }: TextTable): string | undefined {
  const length = (column: string): number =>
    rows.slice(0, SAMPLED_ROWS).reduce((sum, row) => sum + (row.get(column)?.length ?? 0), 0);
  const [first, ...others] = columns;
  if (first === undefined) return undefined;
  return others.reduce((best, column) => (length(column) > length(best) ? column : best), first);
}
