/** What the page calls the rewards of an answer, and what each of them is. */
import {
  OWN_REWARD_HELP,
  REWARD_HELP,
  stageLabel,
  type RewardName,
  type StageConfig,
} from '../../../config/stage/index.ts';

export interface RewardWords {
  /** As metrics and files call it. */
  key: string;
  label: string;
  /** One sentence; '' for a reward that the page does not know. */
  help: string;
}

export function rewardWords(key: string, stage: StageConfig | null): RewardWords {
  if (key === 'reward') return { key, label: 'Reward', help: totalHelp(stage) };
  if (!isRewardName(key)) return { key, label: key, help: '' };
  const help = stage?.dataset.task === 'own' ? OWN_REWARD_HELP : REWARD_HELP;
  return { key, label: stageLabel(`rewards.${key}`).name, help: help[key] };
}

const isRewardName = (key: string): key is RewardName => Object.hasOwn(REWARD_HELP, key);

/** `reward` is what the objective raises. */
function totalHelp(stage: StageConfig | null): string {
  switch (stage?.objective) {
    case 'reward':
      return 'The score that the model gives to the answer.';
    case 'dpo':
      return 'β times how much more likely (in log) the answer is than under the reference model.';
    case 'ppo':
      return stage.ppo.score === 'reward_model' ? 'The score of the reward model.' : WEIGHTED;
    default:
      return WEIGHTED;
  }
}

const WEIGHTED = 'The sum of the rewards that code checks, each times its weight.';
