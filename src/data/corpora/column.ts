/** Which column of a table is the text. */
import { WHOLE_ROWS } from '../../common/index.ts';
import { DataError } from '../errors.ts';
import type { TextTable } from './table.ts';

/** Rows that are looked at, spread over the whole table; all of them if these have no text. */
const SAMPLED_ROWS = 2000;
/** Characters of a value that are looked at. */
const SAMPLED_LENGTH = 2000;

/**
 * Returns the requested column, else the one with the most text.
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
  const { columns } = table;
  if (!requested) return mostText(table);
  if (requested === WHOLE_ROWS || columns.includes(requested)) return requested;
  const hint = `Choose one of: ${columns.join(', ')}.`;
  throw new DataError('unknown_column', `"${name}" has no column "${requested}".`, hint);
}

/**
 * The column with the most letters in words; dates, numbers, identifiers and addresses have none. A
 * table without words gives its longest column, since digits may be what a model is to learn. The
 * first of equal columns; WHOLE_ROWS if the table has no columns.
 */
function mostText(table: TextTable): string {
  const stride = Math.max(1, Math.floor(table.rows / SAMPLED_ROWS));
  const sampled = mostBy(table, stride, letters) ?? mostBy(table, 1, letters);
  return sampled ?? mostBy(table, 1, (value) => value.length) ?? WHOLE_ROWS;
}

/** The column with the largest sum over every `stride`-th row; null if all sums are 0. */
function mostBy(
  table: TextTable,
  stride: number,
  measure: (value: string) => number,
): string | null {
  let best: string | null = null;
  let most = 0;
  for (const column of table.columns) {
    let sum = 0;
    for (let row = 0; row < table.rows; row += stride) {
      const value = table.value(row, column);
      if (value) sum += measure(value.slice(0, SAMPLED_LENGTH));
    }
    if (sum <= most) continue;
    most = sum;
    best = column;
  }
  return best;
}

const LETTER = /\p{L}/gu;
/** Words of dates and times in English; names of months and days may be shortened. */
const TIME_WORD = new RegExp(
  '^(?:(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|mon|tue|wed|thu|fri|sat|sun)' +
    '\\p{L}{0,6}|am|pm|utc|gmt|at|of|st|nd|rd|th|t|z)$',
  'iu',
);
/** An address, or a hexadecimal identifier such as a UUID. */
const IDENTIFIER = /:\/\/|^[0-9a-f-]{12,}$/iu;

/** Letters in words, or 0 for a date. */
function letters(value: string): number {
  let sum = 0;
  let isDate = /\d/u.test(value);
  for (const word of value.split(/\s+/u)) {
    if (IDENTIFIER.test(word)) continue;
    const count = word.match(LETTER)?.length ?? 0;
    sum += count;
    if (count > 0 && !isTimeWord(word)) isDate = false;
  }
  return isDate ? 0 : sum;
}

/** Such as "Jan", "Monday,", "10:30pm" or the "T" and "Z" of 2026-01-05T10:30:00Z. */
function isTimeWord(word: string): boolean {
  const parts = word.match(/\p{L}+/gu) ?? [];
  return parts.every((part) => TIME_WORD.test(part));
}
