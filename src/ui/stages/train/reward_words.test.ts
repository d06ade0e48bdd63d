import { describe, expect, it } from 'vitest';
import { defaultStage, REWARD_HELP } from '../../../config/stage/index.ts';
import { rewardWords } from './reward_words.ts';

const stage = defaultStage();
const own = { ...stage, dataset: { ...stage.dataset, task: 'own' as const } };

describe('the words for a reward', () => {
  it('are a label and a sentence for each reward of a stage and for their sum', () => {
    for (const key of [...Object.keys(stage.rewards), 'reward']) {
      const { label, help } = rewardWords(key, stage);
      expect(label).toMatch(/^[A-Z][a-z ]+$/u);
      expect(help).toMatch(/^\S.*\.$/u);
    }
    expect(Object.keys(REWARD_HELP)).toEqual(Object.keys(stage.rewards));
  });

  it('say what counts for answers to prompts of the user’s own file', () => {
    expect(rewardWords('correct', own).help).toContain('of the file');
    expect(rewardWords('correct', stage).help).not.toContain('file');
  });

  it('say where the reward of an objective comes from', () => {
    const help = (objective: 'reward' | 'dpo' | 'ppo' | 'grpo') =>
      rewardWords('reward', { ...stage, objective }).help;
    expect(new Set([help('reward'), help('dpo'), help('ppo'), help('grpo')]).size).toBe(4);
  });

  it('are the key of a reward that is not known', () => {
    expect(rewardWords('novel', stage)).toEqual({ key: 'novel', label: 'novel', help: '' });
  });
});
