/** A generated task: prompts with right answers, and code that checks any answer. */
import type { PreferenceName, StageConfig, TaskName } from '../../config/stage/index.ts';
import type {
  CheckedReward,
  PreferenceExample,
  PromptExample,
  SftExample,
  Sides,
} from '../stages/types.ts';

export type DatasetConfig = StageConfig['dataset'];
export type GeneratedTask = Exclude<TaskName, 'own'>;

export interface Task {
  name: GeneratedTask;
  title: string;
  /** What is asked, in one sentence. */
  help: string;
  /** Examples for SFT. Held-out ones combine what training never combines. */
  examples(dataset: DatasetConfig): Sides<SftExample>;
  /** Prompts for RL and evaluation; `val` asks about the same held-out combinations. */
  prompts(dataset: DatasetConfig): Sides<PromptExample>;
  /** Which preferences it can make. */
  preferences: readonly PreferenceName[];
  /** Pairs whose truth is known; `label_noise` swaps that share of the training side. */
  pairs(dataset: DatasetConfig): Sides<PreferenceExample & { example: PromptExample }>;
  /** Rewards by the names of the section `rewards`. */
  rewards: readonly CheckedReward[];
  /** What pairs of this preference agree with: higher is better. */
  trueReward(preference: PreferenceName): CheckedReward;
  /** Choices of a multiple-choice question, the right one first; empty if it is not one. */
  choices(example: PromptExample): readonly string[];
}
