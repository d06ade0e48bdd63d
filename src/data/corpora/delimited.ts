/**
 * Delimiter-separated values, read by papaparse: RFC 4180 for commas and semicolons. In a .tsv file
 * quotation marks are ordinary characters, since fields cannot contain tabs or line ends.
 */
import type { TableFormat } from '../../common/index.ts';
import { columnName, malformedLine, type TextTable } from './table.ts';

/** Loaded with the first table. */
export type Papa = typeof import('papaparse');

export const loadPapa = async (): Promise<Papa> => (await import('papaparse')).default;

const DELIMITERS: Record<Exclude<TableFormat, 'lines'>, string> = {
  comma: ',',
  semicolon: ';',
  tab: '\t',
  tab_quoted: '\t',
};

/** Records of a file, each with its fields; the first names the columns. */
interface Records {
  records: string[][];
  /** Line of the first quotation mark that is not closed or not followed by a delimiter; else 0. */
  brokenLine: number;
}

/** A file as one of the formats reads it. */
export interface Reading {
  format: TableFormat;
  table: TextTable;
  /** Fields of the header. */
  headerWidth: number;
  /** Rows with more fields than the header, and with fewer. */
  longer: number;
  shorter: number;
  brokenLine: number;
}

export function readAs(papa: Papa, text: string, format: TableFormat): Reading {
  const { records, brokenLine } = recordsOf(papa, text, format);
  const [header = [], ...rows] = records;
  const width = rows.reduce((most, row) => Math.max(most, row.length), header.length);
  const columns = uniqueNames(Array.from({ length: width }, (_, i) => header[i]?.trim() ?? ''));
  const index = new Map(columns.map((column, i) => [column, i]));
  const delimiter = format === 'lines' ? '' : DELIMITERS[format];
  return {
    format,
    table: {
      columns,
      rows: rows.length,
      value: (row, column) => rows[row]?.[index.get(column) ?? -1],
      whole: (row) => rows[row]?.join(delimiter) ?? '',
    },
    headerWidth: header.length,
    longer: rows.filter((row) => row.length > header.length).length,
    shorter: rows.filter((row) => row.length < header.length).length,
    brokenLine,
  };
}

function recordsOf(papa: Papa, text: string, format: TableFormat): Records {
  if (format === 'lines') {
    const lines = text.split('\n').filter((line) => line !== '');
    return { records: lines.map((line) => [line]), brokenLine: 0 };
  }
  const { data, errors } = papa.parse<string[]>(text, {
    delimiter: DELIMITERS[format],
    newline: '\n',
    skipEmptyLines: true,
    // Without quotation marks, and faster.
    fastMode: format === 'tab' ? true : undefined,
  });
  const [broken] = errors.filter(({ type }) => type === 'Quotes');
  const brokenLine = broken ? text.slice(0, broken.index).split('\n').length : 0;
  return { records: data, brokenLine };
}

/** Names each column: those without a name by their number, and those named before as well. */
function uniqueNames(header: readonly string[]): string[] {
  const names = new Set<string>();
  for (const [i, name] of header.entries()) {
    const wanted = columnName(name || `column ${i + 1}`);
    names.add(names.has(wanted) ? `${wanted} (column ${i + 1})` : wanted);
  }
  return [...names];
}

type DelimitedFormat = Exclude<TableFormat, 'lines'>;

/**
 * The ways to read a file that make sense, the likeliest first. The ending of the name decides, and
 * how regular the rows are; delimiters inside quoted fields do not count.
 *
 * @param name File name: its ending, and for messages.
 * @throws DataError malformed_line if quotation marks are broken in every format.
 */
export function sensibleReadings(papa: Papa, text: string, name: string): [Reading, ...Reading[]] {
  const [expectedFormat, ...otherFormats] = formatsOf(name, text);
  const expected = readAs(papa, text, expectedFormat);
  const others = otherFormats.map((format) => readAs(papa, text, format));
  const readings = [expected, ...others].filter((reading) => reading.brokenLine === 0);
  if (readings.length === 0) throw brokenQuotes(name, expected.brokenLine);
  const [first, ...more] = readings.filter(isRegular);
  if (first) return [first, ...more.filter((other) => differs(other, first))];
  const [best] = readings
    .filter(({ headerWidth }) => headerWidth > 1)
    .sort((a, b) => a.longer + a.shorter - b.longer - b.shorter);
  if (best) return [best, readAs(papa, text, 'lines')];
  if (expected.brokenLine > 0) return [readAs(papa, text, 'lines')];
  // A header without the delimiter: in the rows it is likely part of the text.
  return expected.longer > 0 ? [readAs(papa, text, 'lines'), expected] : [expected];
}

/** The expected format, then those whose delimiter is in the header. */
function formatsOf(name: string, text: string): [DelimitedFormat, ...DelimitedFormat[]] {
  const header = text.slice(0, text.indexOf('\n') + 1 || undefined);
  const inHeader = (format: DelimitedFormat): boolean => header.includes(DELIMITERS[format]);
  const others: DelimitedFormat[] = ['comma', 'semicolon', 'tab_quoted'];
  if (!/\.tsv$/iu.test(name)) return ['comma', ...others.slice(1).filter(inHeader)];
  if (!inHeader('tab')) return ['tab', ...others.filter(inHeader)];
  return text.includes('"') ? ['tab', 'tab_quoted'] : ['tab'];
}

/** Several columns, no row with more fields than the header, and few with fewer. */
const isRegular = ({ headerWidth, longer, shorter, table }: Reading): boolean =>
  headerWidth > 1 && longer === 0 && shorter * 2 <= table.rows;

/** Whether two readings give different fields. */
function differs(a: Reading, b: Reading): boolean {
  const { columns, rows } = a.table;
  if (rows !== b.table.rows || columns.join('\n') !== b.table.columns.join('\n')) return true;
  for (let row = 0; row < rows; row++) {
    for (const column of columns)
      if (a.table.value(row, column) !== b.table.value(row, column)) return true;
  }
  return false;
}

const brokenQuotes = (name: string, line: number) =>
  malformedLine(
    `A quotation mark on line ${line} of "${name}" is never closed, or is followed by more text.`,
  );
