/** Values of fields as text. */
import { labelOf, rangeOf, type FieldPath, type FieldValue } from '../../config/index.ts';
import { rangeNumberText } from './numbers.ts';

/** A value in words: "0.001", "Cosine", "on"; empty texts are named, because they cannot be seen. */
export function valueText(path: FieldPath, value: FieldValue): string {
  if (typeof value === 'number') return rangeNumberText(value);
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  if (typeof value === 'string') return labelOf(path).names?.[value] ?? value;
  if (value.length === 0) return 'none';
  return value.map((text) => (text === '' ? '(empty)' : `“${text}”`)).join(', ');
}

/** The range of a number with its default, or the size of a list; null for switches and choices. */
export function rangeText(path: FieldPath): string | null {
  const range = rangeOf(path);
  switch (range.kind) {
    case 'number':
      return `${rangeNumberText(range.min)} to ${rangeNumberText(range.max)}`;
    case 'texts':
      return `at most ${range.max_items}`;
    case 'flag':
    case 'choice':
      return null;
    default:
      return range satisfies never;
  }
}
