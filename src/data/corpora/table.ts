/** Tables: rows of named columns, and the columns that hold the text. */
import { WHOLE_ROWS } from '../../common/index.ts';
import { DataError } from '../errors.ts';

export interface TextTable {
  columns: string[];
  rows: number;
  /** Undefined if the row has no such column. */
  value(row: number, column: string): string | undefined;
  /** The row as one text. */
  whole(row: number): string;
}

/** Every file of a table has this hint. */
export const malformedLine = (message: string): DataError =>
  new DataError(
    'malformed_line',
    message,
    'Correct that line, or rename the file to .txt to read its lines as they are.',
  );

/** The documents of a column, without empty ones. */
export function columnDocuments(table: TextTable, column: string): string[] {
  const documents: string[] = [];
  for (let row = 0; row < table.rows; row++) {
    const text = column === WHOLE_ROWS ? table.whole(row) : (table.value(row, column) ?? '');
    if (text.trim() !== '') documents.push(text);
  }
  return documents;
}

/** A column with the name of WHOLE_ROWS gets another one. */
export const columnName = (name: string): string => (name === WHOLE_ROWS ? `column ${name}` : name);
