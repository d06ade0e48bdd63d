import { describe, expect, it } from 'vitest';
import { defaultStage } from '../../config/stage/index.ts';
import { readAsset } from '../fixtures/node.ts';
import type { Answer, PromptExample } from '../stages/types.ts';
import { readGlosses } from './definitions.ts';
import { promptText } from './draw.ts';
import { findTask } from './index.ts';
import { rewardNamed } from './rewards.ts';

const task = await findTask('definitions', readAsset);
const dataset = { ...defaultStage().dataset, preference: 'correct', eval_size: 500 } as const;
const { train, val } = task.prompts(dataset);

const answer = (text: string): Answer => ({ text, ended: true, tokens: 4, max_tokens: 32 });
const score = (name: string, example: PromptExample, text: string): number =>
  rewardNamed(task.rewards, name).score(example, answer(text));

describe('definitions', () => {
  it('has as many questions as are asked for, of both kinds', () => {
    expect([train.length, val.length]).toEqual([2000, 500]);
    expect(train.filter(({ kind }) => kind === 'define')).toHaveLength(1000);
  });
  it('holds out wordings of words whose other wordings are trained', () => {
    const seen = new Set(train.map(promptText));
    const learned = new Set(train.map(({ kind, facts }) => `${kind} ${facts.word ?? ''}`));
    for (const example of val) {
      expect(seen.has(promptText(example))).toBe(false);
      expect(learned).toContain(`${example.kind} ${example.facts.word ?? ''}`);
    }
  });
  it('accepts its own answers and refuses those of other words', () => {
    for (const example of val) {
      const [right = '', ...wrong] = task.choices(example);
      expect(right).toBe(example.answer);
      expect(wrong).toHaveLength(3);
      expect(score('correct', example, right)).toBe(1);
      for (const text of wrong) expect(score('correct', example, text)).toBe(0);
      for (const text of [right, ...wrong]) expect(score('well_formed', example, text)).toBe(1);
      for (const text of ['', 'A dog.', `${right}!`])
        expect(score('well_formed', example, text)).toBe(0);
    }
  });
  it('is a function of the seed', () => {
    expect(task.prompts(dataset)).toEqual({ train, val });
    expect(task.prompts({ ...dataset, seed: 2 }).train).not.toEqual(train);
  });
  it('swaps a tenth of the training pairs', () => {
    const pairs = task.pairs({ ...dataset, label_noise: 0.1 });
    const right = ({ example, chosen }: (typeof pairs.train)[number]) =>
      typeof chosen !== 'string' && chosen[0]?.content === example.answer;
    expect(pairs.train.filter((pair) => !right(pair))).toHaveLength(200);
    expect(pairs.val.every(right)).toBe(true);
  });
  it('skips the lines of the licence', () => {
    expect(readGlosses('# a\tb\n#\ndog\ta tame animal\n')).toEqual([
      { word: 'dog', gloss: 'a tame animal' },
    ]);
  });
});
