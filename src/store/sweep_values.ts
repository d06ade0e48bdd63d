/** Reads the values of a sweep as a user types them. */
import { isAllowed, rangeOf, type FieldPath, type FieldValue } from '../config/index.ts';
import { MAX_VALUES, MIN_VALUES } from './sweep_state.ts';

/** The values, or why there are none, one sentence. */
export type ReadValues = { values: FieldValue[] } | { problem: string };

/**
 * Reads a list such as "0.001, 0.003, 0.01" or "gpt2; llama". Numbers are written with a point;
 * entries are separated by commas, semicolons or spaces.
 */
export function readValues(path: FieldPath, text: string): ReadValues {
  const values: FieldValue[] = [];
  for (const item of text.split(/[\s,;]+/u).filter((part) => part !== '')) {
    const value = readValue(path, item);
    if (value === null || !isAllowed(path, value)) return { problem: refusal(path, item) };
    if (!values.includes(value)) values.push(value);
  }
  return checked(values);
}

export interface RangeOfValues {
  from: number;
  to: number;
  count: number;
  scale: 'linear' | 'log';
}

/** Evenly spaced values, or evenly spaced exponents. */
export function rangeValues(path: FieldPath, range: RangeOfValues): ReadValues {
  const { from, to, count, scale } = range;
  if (scale === 'log' && !(from > 0 && to > 0)) {
    return { problem: 'A logarithmic range needs ends above 0.' };
  }
  const values = new Set<number>();
  for (let i = 0; i < count; i += 1) {
    const share = count > 1 ? i / (count - 1) : 0;
    const exact = scale === 'log' ? from * (to / from) ** share : from + (to - from) * share;
    values.add(rounded(path, exact));
  }
  for (const value of values) {
    if (!isAllowed(path, value)) return { problem: refusal(path, String(value)) };
  }
  return checked([...values]);
}

/** To three digits, or to a whole number where the field needs one. */
function rounded(path: FieldPath, value: number): number {
  const range = rangeOf(path);
  const isWhole = range.kind === 'number' && range.integer;
  return isWhole ? Math.round(value) : Number(value.toPrecision(3));
}

function readValue(path: FieldPath, item: string): FieldValue | null {
  const range = rangeOf(path);
  switch (range.kind) {
    case 'number':
      return /^-?(\d+\.?\d*|\.\d+)(e-?\d+)?$/iu.test(item) ? Number(item) : null;
    case 'flag':
      return { yes: true, no: false, true: true, false: false }[item.toLowerCase()] ?? null;
    case 'choice':
      return range.options.includes(item) ? item : null;
    case 'texts':
      return null;
    default:
      return range satisfies never;
  }
}

function refusal(path: FieldPath, item: string): string {
  const range = rangeOf(path);
  const name = `“${item}”`;
  if (range.kind === 'choice') return `${name} is none of ${range.options.join(', ')}.`;
  if (range.kind !== 'number') return `${name} is neither yes nor no.`;
  const kind = range.integer ? 'a whole number' : 'a number';
  return `${name} is not ${kind} from ${range.min} to ${range.max}.`;
}

function checked(values: FieldValue[]): ReadValues {
  if (values.length < MIN_VALUES)
    return { problem: `Give at least ${MIN_VALUES} different values.` };
  if (values.length > MAX_VALUES) return { problem: `Give at most ${MAX_VALUES} values.` };
  return { values };
}
