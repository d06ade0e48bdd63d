/** The data of a stage before it is encoded. */
import type { PreferenceExample, PromptExample, SftExample } from '../../common/index.ts';
import type { Located } from './json_lines.ts';
import type { CheckedReward, Sides } from './types.ts';

/** What an objective learns from. */
export type Needs = 'examples' | 'pairs' | 'prompts';

export interface RawData {
  examples: Sides<Located<SftExample>>;
  pairs: Sides<Located<PreferenceExample>>;
  prompts: Sides<Located<PromptExample>>;
  rewards: readonly CheckedReward[];
  true_reward: CheckedReward | null;
  notes: readonly string[];
}

const NOTHING = { train: [], val: [] };

export const NO_RAW_DATA: RawData = {
  examples: NOTHING,
  pairs: NOTHING,
  prompts: NOTHING,
  rewards: [],
  true_reward: null,
  notes: [],
};
