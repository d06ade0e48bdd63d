/** The shape of the field labels. It mirrors RunConfig, so a missing label is a type error. */
import type { Section } from './fields.ts';
import type { RunConfig } from './schema.ts';

export interface LabelText {
  /** The field's name in words. */
  name: string;
  /** What the field does, in one line. */
  does: string;
  /** The paper and year, or the project, that the name and its meaning come from. */
  source: string;
  unit?: string;
  /** What the value 0 means, if it has a special meaning. */
  zero?: string;
  /** What the terms of the label mean to a person who meets them here for the first time. */
  help?: string;
}

/** A choice also has a name and a description for each of its options. */
type FieldLabel<T> = [T] extends [string]
  ? LabelText & { names: Record<T, string>; options: Record<T, string> }
  : LabelText;

export type Labels = { [S in Section]: { [F in keyof RunConfig[S]]: FieldLabel<RunConfig[S][F]> } };

/** Projects that many fields take their names from. */
export const NANOGPT = 'nanoGPT';
export const HUGGING_FACE = 'Hugging Face transformers';
export const TERRARIUM = 'Terrarium';
