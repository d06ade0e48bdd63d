import { describe, expect, it } from 'vitest';
import type { RunConfig } from '../../config/index.ts';
import type { RunRecord } from '../../protocol/index.ts';
import { misfit, rewardModels } from './reward_models.ts';
import { savedRun } from './testing_saved_run.ts';

const base = savedRun('base', null, 'pretrain');
const sft = savedRun('sft', 'base', 'sft');

/** A record with other settings in one section. */
function withConfig<S extends 'model' | 'data'>(
  record: RunRecord,
  section: S,
  change: Partial<RunConfig[S]>,
): RunRecord {
  const { config } = record;
  return { ...record, config: { ...config, [section]: { ...config[section], ...change } } };
}

/** What the form says of a reward model of other runs for a child of `sft`. */
function problemWith(...others: RunRecord[]): string | undefined {
  const reward = others.at(-1);
  if (!reward) throw new Error('There is no reward model.');
  return misfit([base, sft, ...others], reward, sft)?.message;
}

describe('a reward model can score the answers of a model', () => {
  it('that was trained from the same base', () => {
    expect(problemWith(savedRun('reward', 'base', 'reward'))).toBeUndefined();
  });
  it('whose common base was deleted', () => {
    const reward = savedRun('reward', 'base', 'reward');
    expect(misfit([sft, reward], reward, sft)).toBeNull();
  });
  it('of the same sizes whose tokenizer was made from the same text', () => {
    const other = savedRun('other', null, 'pretrain');
    expect(problemWith(other, savedRun('reward', 'other', 'reward'))).toBeUndefined();
  });
});

describe('the form says why a reward model does not fit', () => {
  it('if it has another size', () => {
    const reward = withConfig(savedRun('reward', 'base', 'reward'), 'model', { n_embd: 64 });
    expect(problemWith(reward)).toBe('The reward model “REWARD” has n_embd 64, and “SFT” has 128.');
  });
  it('if it has another tokenizer', () => {
    const message = 'The reward model “REWARD” has another tokenizer than “SFT”.';
    const reward = savedRun('reward', 'other', 'reward');
    for (const corpus of ['own', 'arithmetic'] as const) {
      const other = withConfig(savedRun('other', null, 'pretrain'), 'data', { corpus });
      expect(problemWith(other, reward)).toBe(message);
    }
    // Nothing is known of a base that was deleted.
    expect(problemWith(reward)).toBe(message);
  });
  it('if it is none', () => {
    expect(problemWith(savedRun('dpo', 'sft', 'dpo'))).toBe('“DPO” is no reward model.');
  });
});

it('lists the reward models that fit first', () => {
  const other = withConfig(savedRun('other', null, 'pretrain'), 'data', { corpus: 'own' });
  const foreign = savedRun('foreign', 'other', 'reward');
  const own = savedRun('own', 'base', 'reward');
  const empty = { ...savedRun('empty', 'base', 'reward'), resumable: false };
  const listed = rewardModels([base, sft, other, foreign, own, empty], sft);
  expect(listed.map(({ run }) => run)).toEqual(['own', 'foreign']);
});
