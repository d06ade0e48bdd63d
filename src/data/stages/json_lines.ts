/** Lines of a .jsonl file in TRL's columns, as records that know their line. */
import { DataError } from '../errors.ts';
import { wellFormed } from '../well_formed.ts';

/** A value with the line of the file that it came from; null if it was generated. */
export interface Located<T> {
  value: T;
  line: number | null;
}

export interface OwnFile {
  name: string;
  bytes: Uint8Array;
}

export type Columns = Readonly<Record<string, unknown>>;

export interface ReadLines<T> {
  items: Located<T>[];
  /** Malformed lines that were skipped. */
  skipped: number;
}

export interface ReadOptions {
  malformed: 'refuse' | 'skip';
}

/** Longest file that is read, in bytes; more would not fit the memory of a tab. */
const MAX_BYTES = 128 * 2 ** 20;

/**
 * Reads one example per line. `read` throws BadLine for an object that is no example.
 *
 * @throws DataError malformed_line for the first bad line, unless those are to be skipped;
 * text_not_utf8, text_too_large, and what `read` throws besides.
 */
export function readExamples<T>(
  file: OwnFile,
  read: (columns: Columns) => T,
  { malformed }: ReadOptions,
): ReadLines<T> {
  const items: Located<T>[] = [];
  let skipped = 0;
  let line = 0;
  for (const text of linesOf(file)) {
    line++;
    if (text.trim() === '') continue;
    try {
      items.push({ value: read(columnsOf(text)), line });
    } catch (error) {
      if (!(error instanceof BadLine)) throw error;
      if (malformed === 'refuse') throw refused(file.name, line, error.message);
      skipped++;
    }
  }
  return { items, skipped };
}

/** Why a line is no example. `message` completes "Line 3 of FILE ...". */
export class BadLine extends Error {}

const refused = (name: string, line: number, what: string): DataError =>
  new DataError(
    'malformed_line',
    `Line ${line} of "${name}" ${what}.`,
    'Correct or delete the line, or let malformed lines be skipped.',
  );

function columnsOf(text: string): Columns {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadLine('is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadLine('is not a JSON object');
  return value as Columns;
}

/** The lines, without a byte order mark. Lone surrogates can only come from escapes. */
function* linesOf({ name, bytes }: OwnFile): Generator<string> {
  if (bytes.length > MAX_BYTES) {
    throw new DataError(
      'text_too_large',
      `"${name}" has ${Math.ceil(bytes.length / 2 ** 20)} MB, more than a page can hold.`,
      `Choose a file of at most ${MAX_BYTES / 2 ** 20} MB.`,
    );
  }
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DataError(
      'text_not_utf8',
      `"${name}" is not UTF-8 text.`,
      'Save it as UTF-8 and open it again.',
    );
  }
  let from = 0;
  while (from < text.length) {
    const newline = text.indexOf('\n', from);
    const to = newline < 0 ? text.length : newline;
    yield text.slice(from, to);
    from = to + 1;
  }
}

/** A text of the file, in which half of a surrogate pair becomes U+FFFD. */
export const cleanText = (text: string): string => wellFormed(text).text;
