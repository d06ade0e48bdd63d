/** Parsing, formatting and stepping the numbers of the form. */
import { compact } from '../../store/index.ts';

interface Range {
  integer: boolean;
  min: number;
  max: number;
}

/** The number that a text represents, or null if it is malformed or outside the range. */
export function parseNumber(text: string, range: Range): number | null {
  const clean = text
    .trim()
    .replaceAll('_', '')
    // "0,5" has a decimal comma; "1,000" groups thousands.
    .replace(/^(-?\d+),(\d{1,2}|\d{4,})$/u, '$1.$2')
    .replaceAll(',', '');
  if (!/^-?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/iu.test(clean)) return null;
  const value = Number(clean);
  if (!Number.isFinite(value) || value < range.min || value > range.max) return null;
  return range.integer && !Number.isInteger(value) ? null : value;
}

/** A number as the form shows it for editing. */
export const numberText = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);

/** A bound or default of a range, shortened. */
export function rangeNumberText(value: number): string {
  if (value >= 1e6) return compact(value);
  if (value !== 0 && value < 1e-3) return value.toExponential();
  return value.toLocaleString('en');
}

/**
 * One step up or down, within the range. Integers change by a power of ten of about a tenth of
 * their size, other numbers to the next of 1, 2, 5 times a power of ten.
 */
export function nudge(value: number, direction: 1 | -1, range: Range): number {
  const next = range.integer
    ? Math.round(value + direction * integerStep(value))
    : Number(nextOneTwoFive(value, direction).toPrecision(6));
  return Math.min(range.max, Math.max(range.min, next));
}

const integerStep = (value: number): number =>
  Math.max(1, 10 ** Math.floor(Math.log10(Math.max(1, Math.abs(value))) - 0.7));

const EPSILON = 1e-9;

function nextOneTwoFive(value: number, direction: 1 | -1): number {
  if (value <= 0) return direction > 0 ? 0.01 : value;
  const power = 10 ** Math.floor(Math.log10(value) + EPSILON);
  const lead = value / power;
  const next =
    direction > 0
      ? [2, 5].find((candidate) => candidate > lead + EPSILON)
      : [5, 2, 1].find((candidate) => candidate < lead - EPSILON);
  return (next ?? (direction > 0 ? 10 : 0.5)) * power;
}
