/** Reading and nudging numbers of the form. */

interface Range {
  integer: boolean;
  min: number;
  max: number;
}

/** The number that a text says, or null where it says none or one outside of the range. */
export function parseNumber(text: string, range: Range): number | null {
  const clean = text
    .trim()
    .replaceAll('_', '')
    .replace(/^(-?\d+),(\d{1,2}|\d{4,})$/u, '$1.$2')
    .replaceAll(',', '');
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/iu.test(clean)) return null;
  const value = Number(clean);
  if (!Number.isFinite(value) || value < range.min || value > range.max) return null;
  return range.integer && !Number.isInteger(value) ? null : value;
}

/**
 * One step up or down: whole numbers by a tenth of their size as a round number, others by the next
 * of 1, 2, 5.
 */
export function nudge(value: number, direction: 1 | -1, range: Range): number {
  const next = range.integer
    ? value +
      direction * Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, Math.abs(value))) - 0.7))
    : alongOneTwoFive(value, direction);
  const rounded = range.integer ? Math.round(next) : Number(next.toPrecision(6));
  return Math.min(range.max, Math.max(range.min, rounded));
}

function alongOneTwoFive(value: number, direction: 1 | -1): number {
  if (value <= 0) return direction > 0 ? 0.01 : value;
  const power = 10 ** Math.floor(Math.log10(value) + 1e-9);
  const lead = value / power;
  if (direction > 0) return (lead < 2 - 1e-9 ? 2 : lead < 5 - 1e-9 ? 5 : 10) * power;
  return (lead > 5 + 1e-9 ? 5 : lead > 2 + 1e-9 ? 2 : lead > 1 + 1e-9 ? 1 : 0.5) * power;
}
