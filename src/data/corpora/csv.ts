/** Splits delimiter-separated values (RFC 4180) into records. */
import { DataError } from '../errors.ts';

export const malformedLine = (message: string): DataError =>
  new DataError('malformed_line', message, 'Correct or remove that line and open the file again.');

/**
 * Returns the fields of every record except blank lines. A quoted field may contain delimiters, line
 * ends and doubled quotation marks.
 *
 * @param name File name, for messages.
 * @throws DataError malformed_line
 */
export function csvRecords(text: string, delimiter: string, name: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let line = 1;
  for (let offset = 0; offset < text.length;) {
    const { field, end } =
      text[offset] === '"'
        ? quotedField(text, offset, `line ${line} of "${name}"`)
        : plainField(text, offset, delimiter);
    line += countLineEnds(field);
    offset = end;
    const next = text[offset];
    if (next !== undefined && next !== delimiter && next !== '\n')
      throw malformedLine(`Line ${line} of "${name}" has text after a closing quotation mark.`);
    record.push(field);
    if (next === delimiter) {
      offset++;
      const isLastField = offset >= text.length || text[offset] === '\n';
      if (!isLastField) continue;
      record.push('');
    }
    offset++;
    line++;
    const isBlank = record.length === 1 && record[0] === '';
    if (!isBlank) records.push(record);
    record = [];
  }
  return records;
}

/** `end`: offset of what follows the field. */
interface Field {
  field: string;
  end: number;
}

function quotedField(text: string, start: number, place: string): Field {
  // Doubled quotation marks are part of the field.
  let close = text.indexOf('"', start + 1);
  while (close >= 0 && text[close + 1] === '"') close = text.indexOf('"', close + 2);
  if (close < 0) throw malformedLine(`A quotation mark on ${place} is never closed.`);
  return { field: text.slice(start + 1, close).replaceAll('""', '"'), end: close + 1 };
}

function plainField(text: string, start: number, delimiter: string): Field {
  let end = start;
  while (end < text.length && text[end] !== delimiter && text[end] !== '\n') end++;
  return { field: text.slice(start, end), end };
}

const countLineEnds = (field: string): number => field.split('\n').length - 1;
