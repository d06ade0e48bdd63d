/** What a run keeps beside its checkpoints, so that it comes back as it was left. */

export type ViewValue = string | number | boolean | null | readonly (string | number)[];

/**
 * How the page looks at the run: chart axis, zoom, selected sample, typed prompt. The page chooses
 * the names and checks the values when it takes them back; storage only bounds their size.
 */
export type RunView = Readonly<Record<string, ViewValue>>;

/** The checkpoint with the best evaluation so far. */
export interface BestCheckpoint {
  step: number;
  /** `Objective.score` of its evaluation; lower is better. */
  score: number;
}

/** Which weights of a run to export, to generate with, or to continue from. */
export type WeightsChoice = 'last' | 'best';

/** What an export has: one of the checkpoints, or the last one in a bundle for GPUs. */
export type ExportChoice = WeightsChoice | 'bundle';
