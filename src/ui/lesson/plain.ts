/** Names and explanations of fields for people who do not know their keys. */
import { labelOf, type FieldPath } from '../../config/index.ts';

/** The name of a field in words. */
export const plainName = (path: FieldPath): string => labelOf(path).name;

/** What a field means, in one line. */
export function plainHelp(path: FieldPath): string {
  const { help, does } = labelOf(path);
  return help ?? does;
}
