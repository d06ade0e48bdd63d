/** The shape of the field labels. It mirrors RunConfig, so a missing label is a type error. */
import type { Section } from './fields.ts';
import type { RunConfig } from './schema.ts';

export interface LabelText {
  /** What the field does, in one line. */
  does: string;
  /** The paper and year, or the project, that the name and its meaning come from. */
  source: string;
  unit?: string;
  /** What the value 0 means, if it has a special meaning. */
  zero?: string;
}

/** A choice also has a description for each of its options. */
type FieldLabel<T> = [T] extends [string] ? LabelText & { options: Record<T, string> } : LabelText;

export type Labels = { [S in Section]: { [F in keyof RunConfig[S]]: FieldLabel<RunConfig[S][F]> } };

/** Projects that many fields take their names from. */
export const NANOGPT = 'nanoGPT';
export const HUGGING_FACE = 'Hugging Face transformers';
export const TERRARIUM = 'Terrarium';
