/** The shape of the labels of a stage. It mirrors StageConfig, so a missing label is a type error. */
import type { LabelText } from '../label_types.ts';
import type { StageConfig } from './schema.ts';
import type { StageSection } from './fields.ts';

export interface StageLabelText extends LabelText {
  /** Default of TRL or PEFT where ours differs, and why. */
  trl?: string;
}

type StageFieldLabel<T> = [T] extends [string]
  ? StageLabelText & { names: Record<T, string>; options: Record<T, string> }
  : StageLabelText;

export type StageLabels = {
  [S in StageSection]: { [F in keyof StageConfig[S]]: StageFieldLabel<StageConfig[S][F]> };
};

/** Where most names come from. */
export const TRL = 'TRL 1.10';
export const PEFT = 'PEFT 0.21';
