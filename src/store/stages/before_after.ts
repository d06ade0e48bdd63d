/** Pairs the parent's answers with those of a later step, by prompt. */
import type { Sample } from '../../protocol/index.ts';

export interface Comparison {
  prompt: string;
  /** The parent's answer: the sample of step 0; null if it is not kept. */
  before: Sample | null;
  after: Sample;
}

export interface MeanReward {
  name: string;
  before: number;
  after: number;
}

export interface Compared {
  pairs: readonly Comparison[];
  /** Mean rewards over the prompts that have both answers. */
  means: readonly MeanReward[];
}

/** `all`: samples of every step; `shown`: those of one step. */
export function compare(all: readonly Sample[], shown: readonly Sample[]): Compared {
  const first = new Map(
    all.filter(({ step }) => step === 0).map((sample) => [sample.prompt, sample]),
  );
  const pairs = shown.map((after) => {
    const { prompt } = after;
    return { prompt, before: first.get(prompt) ?? null, after };
  });
  return { pairs, means: meanRewards(pairs) };
}

function meanRewards(pairs: readonly Comparison[]): MeanReward[] {
  const names = new Set(pairs.flatMap(({ after }) => Object.keys(after.rewards ?? {})));
  return [...names].flatMap((name) => {
    const both = pairs.flatMap(({ before, after }) => {
      const [old, now] = [before?.rewards?.[name], after.rewards?.[name]];
      return old === undefined || now === undefined ? [] : [{ old, now }];
    });
    if (both.length === 0) return [];
    const mean = (side: 'old' | 'now'): number =>
      both.reduce((sum, one) => sum + one[side], 0) / both.length;
    return [{ name, before: mean('old'), after: mean('now') }];
  });
}
