/** What the client's methods take and give. */
import type { OwnText } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';
import type { ParentSource, WeightsChoice } from '../protocol/index.ts';

export interface TokenizedText {
  text: string;
  pieces: { id: number; text: string }[];
}

export interface Exported {
  name: string;
  bytes: Uint8Array;
}

export interface StartOptions {
  /** The form's name, or one made from the configuration, by default. */
  name?: string;
  /** A saved run whose own text is used if the page has none. */
  text_of?: string;
  paused?: boolean;
  /** Name of an objective; pretraining by default. */
  objective?: string;
  /** Where the initial weights come from. */
  parent?: ParentSource;
  /** A stage after pretraining, which needs a parent. */
  stage?: StageConfig;
  /** PPO: the saved run whose reward model scores. */
  reward_model?: { run: string };
  /** Examples of a stage whose task is `own`. */
  dataset?: OwnText;
}

export interface ResumeOptions {
  /** Replaces the multiplier that the run was saved with. */
  lr_multiplier?: number;
  paused?: boolean;
  /** Continues from the best checkpoint instead of the last one. */
  weights?: WeightsChoice;
  backend?: RunConfig['runtime']['backend'];
}
