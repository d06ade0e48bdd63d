import { describe, expect, it } from 'vitest';
import type { Sample } from '../../protocol/index.ts';
import { compare } from './before_after.ts';

const sample = (step: number, prompt: string, correct?: number): Sample => ({
  step,
  prompt,
  tokens: [],
  memorized: false,
  rewards: correct === undefined ? undefined : { correct },
});

describe('before and after', () => {
  const all = [sample(0, 'a', 0), sample(0, 'b', 1), sample(50, 'a', 1), sample(50, 'b', 1)];
  const shown = all.filter(({ step }) => step === 50);

  it('puts the answer of step 0 beside that of the step shown', () => {
    const { pairs } = compare(all, shown);
    expect(pairs.map(({ before, after }) => [before?.step, after.step])).toEqual([
      [0, 50],
      [0, 50],
    ]);
  });
  it('averages the rewards of prompts that have both answers', () => {
    expect(compare(all, shown).means).toEqual([{ name: 'correct', before: 0.5, after: 1 }]);
    const unpaired = [...shown, sample(50, 'new', 0)];
    expect(compare(all, unpaired).means[0]?.after).toBe(1);
  });
  it('has no means where nothing was scored', () => {
    const plain = [sample(0, 'a'), sample(50, 'a')];
    expect(compare(plain, plain.slice(1)).means).toEqual([]);
  });
});
