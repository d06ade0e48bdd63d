/** What an evaluation measures of a checkpoint, as worker, page and `evaluations.jsonl` have it. */
import type { WeightsChoice } from './run_files.ts';

/** A number with its 95 % interval, from `n` items. */
export interface Estimate {
  value: number;
  low: number;
  high: number;
  /** Items that the number comes from: prompts, questions, pairs or windows of text. */
  n: number;
}

/**
 * How an interval was made: Wilson's for shares, from the standard error of a mean, from a standard
 * error clustered by prompt, or from the differences of pairs.
 */
export type IntervalKind = 'wilson' | 'mean' | 'clustered' | 'paired';

export interface MeasuredValue extends Estimate {
  /** A name of `EVALUATION_METRICS`. */
  metric: string;
  interval: IntervalKind;
  /**
   * The value of each item, in the order of the items, so that two checkpoints with the same
   * settings can be compared item by item.
   */
  items?: readonly number[];
}

/** A checkpoint, as an evaluation names it. */
export interface CheckpointName {
  /** Null for files that the user opened. */
  run: string | null;
  name: string;
  weights: WeightsChoice;
  step: number;
}

/** Everything that the items and the answers of an evaluation depend on, beside the model. */
export interface EvaluationSettings {
  /** A task, or the name of the text for bits per byte. */
  task: string;
  /** Seed of the items. */
  seed: number;
  /** Items that were asked for. */
  items: number;
  /** Of sampled answers; exact match is greedy. */
  temperature: number;
  max_new_tokens: number;
  /** Of pass@k. */
  k: number;
  /** Answers to each prompt that pass@k is estimated from. */
  samples: number;
  /** What the true reward agrees with. */
  preference: string;
  /** Fields of the task beyond these, such as the digits of the sums. */
  variant: string;
}

/** One evaluation of one checkpoint: a line of `evaluations.jsonl`. */
export interface EvaluationRecord {
  /** Milliseconds since 1970. */
  at: number;
  model: CheckpointName;
  objective: string;
  /** What win rate and KL compare with. */
  parent: CheckpointName | null;
  reward_model: CheckpointName | null;
  settings: EvaluationSettings;
  seconds: number;
  values: readonly MeasuredValue[];
  /** Sentences on what was left out, and why. */
  notes: readonly string[];
}
