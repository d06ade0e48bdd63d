/** Rows of .csv and .jsonl, and the column of them that is the text. */
import { DataError } from '../errors.ts';

/** A row by column name. */
export type Row = Map<string, string>;
export interface TextTable {
  columns: string[];
  rows: Row[];
}

/** Rows looked at to find the columns that hold text. */
const SAMPLE = 100;
/** Names that a text column usually has, likeliest first. */
const USUAL = ['text', 'content', 'story', 'sentence', 'document', 'body'];

const malformedLine = (message: string) =>
  new DataError('malformed_line', message, 'Correct or remove that line and open the file again.');

/**
 * One JSON object a line; values that are not strings are left out. @throws DataError
 * malformed_line
 */
export function readJsonLines(text: string, name: string): TextTable {
  const rows: Row[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '') return;
    rows.push(jsonRow(line) ?? fail(index + 1));
  });
  function fail(line: number): never {
    throw malformedLine(`Line ${line} of "${name}" is not a JSON object.`);
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
 * RFC 4180 with a header; the delimiter is the comma, semicolon or tab that the header has most of.
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

function csvRecords(text: string, delimiter: string, name: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let line = 1;
  for (let at = 0; at < text.length;) {
    let field: string;
    if (text[at] === '"') {
      const end = closingQuote(text, at + 1);
      if (end < 0)
        throw malformedLine(`A quotation mark on line ${line} of "${name}" is never closed.`);
      field = text.slice(at + 1, end).replaceAll('""', '"');
      line += field.split('\n').length - 1;
      at = end + 1;
      if (at < text.length && text[at] !== delimiter && text[at] !== '\n') {
        throw malformedLine(`Line ${line} of "${name}" has text after a closing quotation mark.`);
      }
    } else {
      const end = fieldEnd(text, at, delimiter);
      field = text.slice(at, end);
      at = end;
    }
    record.push(field);
    if (text[at] === delimiter) {
      at++;
      if (at < text.length && text[at] !== '\n') continue;
      record.push('');
    }
    at++;
    line++;
    if (record.length > 1 || record[0] !== '') records.push(record);
    record = [];
  }
  return records;
}

/** The quotation mark that is not doubled, or -1. */
function closingQuote(text: string, from: number): number {
  let at = text.indexOf('"', from);
  while (at >= 0 && text[at + 1] === '"') at = text.indexOf('"', at + 2);
  return at;
}

function fieldEnd(text: string, at: number, delimiter: string): number {
  let end = at;
  while (end < text.length && text[end] !== delimiter && text[end] !== '\n') end++;
  return end;
}

/** Columns in which one of the first rows holds something that is not a number. */
function textColumns(rows: Row[]): string[] {
  const columns = new Set<string>();
  for (const row of rows.slice(0, SAMPLE)) {
    for (const [column, value] of row)
      if (value.trim() !== '' && Number.isNaN(Number(value))) columns.add(column);
  }
  return [...columns];
}

/**
 * The asked-for column, else one with a usual name, else the one with the longest texts. @throws
 * DataError unknown_column
 */
export function chooseColumn(
  { columns, rows }: TextTable,
  asked: string | undefined,
  name: string,
): string {
  const known = (column: string) => columns.includes(column) || rows.some((row) => row.has(column));
  if (asked !== undefined && asked !== '' && !known(asked)) {
    throw new DataError(
      'unknown_column',
      `"${name}" has no column "${asked}".`,
      columns.length > 0
        ? `Choose one of: ${columns.join(', ')}.`
        : 'Choose a file with a column of text.',
    );
  }
  const length = (column: string) =>
    rows.slice(0, SAMPLE).reduce((sum, row) => sum + (row.get(column)?.length ?? 0), 0);
  const longest = columns.reduce<string | undefined>(
    (best, column) => (best === undefined || length(column) > length(best) ? column : best),
    undefined,
  );
  const chosen =
    (asked || undefined) ?? USUAL.find((column) => columns.includes(column)) ?? longest;
  if (chosen === undefined)
    throw new DataError(
      'unknown_column',
      `"${name}" has no column of text.`,
      'Choose a file with a column of text.',
    );
  return chosen;
}
