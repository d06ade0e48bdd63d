/** The user's own text: plain text as it is, or one column of .jsonl and .csv files. */
import type { OwnText } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { Corpus } from '../types.ts';
import { plainTextDocuments } from './plain_text.ts';
import { chooseColumn, readCsv, readJsonLines, type TextTable } from './table.ts';

/** A larger text, with its tokens at four bytes each, would exceed the memory of a tab. */
export const MAX_TEXT_BYTES = 128 * 2 ** 20;

/**
 * Reads a text as documents; the extension of its name decides how.
 *
 * @throws DataError text_too_large, text_not_utf8, text_empty, malformed_line or unknown_column
 */
export function readOwnText({ name, bytes, column }: OwnText): Corpus {
  if (bytes.length > MAX_TEXT_BYTES) {
    throw new DataError(
      'text_too_large',
      `"${name}" has ${Math.ceil(bytes.length / 2 ** 20)} MB, more than a page can hold.`,
      `Choose a text of at most ${MAX_TEXT_BYTES / 2 ** 20} MB.`,
    );
  }
  const text = decodeUtf8(name, bytes);
  if (text.trim() === '') throw empty(name);
  const table = readTable(name, text);
  if (table === null) return { name, source: 'Own text', ...plainTextDocuments(text) };
  const chosen = chooseColumn(table, column, name);
  const documents = table.rows
    .map((row) => row.get(chosen) ?? '')
    .filter((document) => document.trim() !== '');
  if (documents.length === 0) throw empty(name);
  const multiline = documents.some((document) => document.includes('\n'));
  return {
    name,
    source: `Own text, column "${chosen}"`,
    documents,
    separator: multiline ? '\n\n' : '\n',
    columns: table.columns,
  };
}

const empty = (name: string) =>
  new DataError(
    'text_empty',
    `"${name}" has no text in it.`,
    'Choose a text with some words in it.',
  );

function readTable(name: string, text: string): TextTable | null {
  const extension = /\.([a-z]+)$/i.exec(name)?.[1]?.toLowerCase();
  if (extension === 'jsonl' || extension === 'ndjson') return readJsonLines(text, name);
  return extension === 'csv' || extension === 'tsv' ? readCsv(text, name) : null;
}

/** Normalises line ends to \n and drops a byte order mark. */
function decodeUtf8(name: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replace(/\r\n?/g, '\n');
  } catch {
    throw new DataError(
      'text_not_utf8',
      `"${name}" is not text in UTF-8.`,
      'Save it again as plain text in UTF-8.',
    );
  }
}
