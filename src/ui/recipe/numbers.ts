/** Parsing, formatting and stepping the numbers of the form. */
import { compact } from '../../store/index.ts';

interface Range {
  integer: boolean;
  min: number;
  max: number;
}

/** What was typed as a number, or why it is none. */
export type TypedNumber =
  | { kind: 'number'; value: number }
  | { kind: 'malformed' }
  | { kind: 'outside' }
  /** The two numbers that it can mean. */
  | { kind: 'ambiguous'; meanings: [number, number] };

const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/iu;
/** Three digits after one comma or point: thousands in one country, a fraction in another. */
const ONE_MARK = /^([-+]?[1-9]\d{0,2})[.,](\d{3})$/u;
/** Thousands grouped by commas, points, spaces or underscores. */
const GROUPED = /^[-+]?[1-9]\d{0,2}(?:([,._\u00a0\u202f ])\d{3})(?:\1\d{3})*$/u;

/**
 * Reads a number with a decimal point or a decimal comma, and with grouped thousands: `0,001` is
 * 0.001, `1,000,000` a million. `1,000` and `1.000` are a thousand where numbers are whole. Elsewhere
 * they may also be 1: the one that the range allows is taken, and if it allows both, neither is.
 */
export function readTypedNumber(text: string, range: Range): TypedNumber {
  const typed = text.trim();
  const oneMark = ONE_MARK.exec(typed);
  if (oneMark) {
    const [, whole = '', digits = ''] = oneMark;
    if (range.integer) return inRange(Number(`${whole}${digits}`), range);
    return chooseMeaning([Number(`${whole}.${digits}`), Number(`${whole}${digits}`)], range);
  }
  const grouping = GROUPED.exec(typed)?.[1];
  const clean = grouping === undefined ? withPoint(typed) : typed.replaceAll(grouping, '');
  if (!NUMBER.test(clean)) return { kind: 'malformed' };
  return inRange(Number(clean), range);
}

/** A single comma is a decimal comma; underscores group digits, as in programs. */
const withPoint = (typed: string): string => {
  const ungrouped = typed.replaceAll(/(?<=\d)_(?=\d)/gu, '');
  return ungrouped.includes('.') ? ungrouped : ungrouped.replace(/^([^,]*),([^,]*)$/u, '$1.$2');
};

function chooseMeaning(meanings: [number, number], range: Range): TypedNumber {
  const allowed = meanings.filter((value) => isAllowed(value, range));
  const [first] = allowed;
  if (first === undefined) return { kind: 'outside' };
  return allowed.length === 1 || meanings[0] === meanings[1]
    ? { kind: 'number', value: first }
    : { kind: 'ambiguous', meanings };
}

const inRange = (value: number, range: Range): TypedNumber =>
  isAllowed(value, range) ? { kind: 'number', value } : { kind: 'outside' };

const isAllowed = (value: number, { integer, min, max }: Range): boolean =>
  Number.isFinite(value) && value >= min && value <= max && (!integer || Number.isInteger(value));

/** The number that a text represents, or null if it is malformed, ambiguous or outside the range. */
export function parseNumber(text: string, range: Range): number | null {
  const typed = readTypedNumber(text, range);
  return typed.kind === 'number' ? typed.value : null;
}

/** Why a text is no number of the range, in a few words; '' if it is one. */
export function numberProblem(text: string, range: Range): string {
  const typed = readTypedNumber(text, range);
  switch (typed.kind) {
    case 'number':
      return '';
    case 'ambiguous': {
      const [fraction, thousands] = typed.meanings;
      return `Type ${fraction} or ${thousands}: this can mean both.`;
    }
    case 'malformed':
    case 'outside': {
      const allowed = `${rangeNumberText(range.min)} to ${rangeNumberText(range.max)}`;
      return `${allowed}${range.integer ? ', whole' : ''}`;
    }
    default:
      return typed satisfies never;
  }
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
