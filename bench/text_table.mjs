/** Text tables of rows that may have failed. */

/** A number with fixed digits, or a dash. */
export const number = (value, digits) =>
  typeof value === 'number' && Number.isFinite(value) ? value.toFixed(digits) : '-';

/** A number with about three significant digits. */
export function short(value) {
  if (value >= 100) return number(value, 0);
  return number(value, value >= 1 ? 2 : 4);
}

/**
 * A Markdown table with aligned columns, the first one to the left.
 *
 * @param rows objects; one with `error` has failed
 * @param columns titles with the text of a row in that column
 * @param errorColumn index of the column that shows the error of a failed row; columns before it
 *   are shown, columns after it are empty
 */
export function textTable(rows, columns, errorColumn = 0) {
  const cellOf = (row, [, text], i) => {
    if (row.error === undefined || i < errorColumn) return String(text(row) ?? '');
    return i === errorColumn ? row.error : '';
  };
  const cells = rows.map((row) => columns.map((column, i) => cellOf(row, column, i)));
  const titles = columns.map(([title]) => title);
  const widths = titles.map((title, i) => Math.max(title.length, ...cells.map((c) => c[i].length)));
  const line = (texts) => {
    const padded = texts.map((text, i) =>
      i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i]),
    );
    return `| ${padded.join(' | ')} |`;
  };
  const rules = widths.map((w, i) => (i === 0 ? '-'.repeat(w + 2) : `${'-'.repeat(w + 1)}:`));
  return [line(titles), `|${rules.join('|')}|`, ...cells.map(line)].join('\n');
}
