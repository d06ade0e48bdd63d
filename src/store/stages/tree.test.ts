import { describe, expect, it } from 'vitest';
import { savedRun } from './testing_saved_run.ts';
import {
  ancestry,
  deletionWarning,
  descendants,
  listed,
  modelTrees,
  rewardModelsFor,
} from './tree.ts';

const record = savedRun;

const RUNS = [
  record('base', null, 'pretrain', 1),
  record('sft', 'base', 'sft', 2),
  record('reward', 'sft', 'reward', 3),
  record('ppo', 'sft', 'ppo', 4),
  record('other', null, 'pretrain', 9),
  record('orphan', 'gone', 'dpo', 5),
];

describe('the tree of models', () => {
  it('has children under their parents, and the tree that changed last first', () => {
    const rows = listed(modelTrees(RUNS)).map(({ record: { run }, depth }) => `${depth} ${run}`);
    expect(rows).toEqual(['0 other', '0 orphan', '0 base', '1 sft', '2 reward', '2 ppo']);
  });
  it('names the parent of a run whose parent is gone', () => {
    const orphan = modelTrees(RUNS).find((node) => node.record.run === 'orphan');
    expect(orphan?.origin).toBe('gone');
  });
  it('shows each run once, even if a lineage leads back to itself', () => {
    const circle = [record('a', 'b'), record('b', 'a')];
    expect(listed(modelTrees(circle))).toHaveLength(2);
    expect(descendants(circle, 'a').map(({ run }) => run)).toEqual(['b']);
  });
});

describe('what depends on a model', () => {
  it('is everything that was trained from it', () => {
    expect(descendants(RUNS, 'base').map(({ run }) => run)).toEqual(['sft', 'reward', 'ppo']);
    expect(ancestry(RUNS, 'ppo').map(({ run }) => run)).toEqual(['base', 'sft', 'ppo']);
  });
  it('is said before it is deleted', () => {
    expect(deletionWarning(RUNS, 'sft')).toContain('“REWARD”, “PPO” were trained from it');
    expect(deletionWarning(RUNS, 'ppo')).toBeNull();
  });
  it('includes the reward models of the same family only', () => {
    const [base, sft] = RUNS;
    expect(base && rewardModelsFor(RUNS, base).map(({ run }) => run)).toEqual(['reward']);
    expect(sft && rewardModelsFor(RUNS, sft).map(({ run }) => run)).toEqual(['reward']);
    const other = record('other', null);
    expect(rewardModelsFor(RUNS, other)).toEqual([]);
  });
  it('knows the family of reward models whose common parent was deleted', () => {
    const [base, sft, ...rest] = RUNS;
    const ppo = rest.find(({ run }) => run === 'ppo');
    expect(base && sft && ppo && rewardModelsFor(rest, ppo).map(({ run }) => run)).toEqual([
      'reward',
    ]);
    const orphan = rest.find(({ run }) => run === 'orphan');
    expect(orphan && rewardModelsFor(rest, orphan)).toEqual([]);
  });
});
