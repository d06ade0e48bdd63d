import { describe, expect, test } from 'vitest';
import { parseStage, type StageInput } from '../../config/stage/index.ts';
import { byteTokenizer } from '../tokenizer/byte.ts';
import { utf8 } from '../tokenizer/utf8.ts';
import { prepareStage, type PrepareStageOptions } from './prepare.ts';
import type { StageData } from './types.ts';

const prepare = (
  stage: StageInput,
  options: Partial<PrepareStageOptions> = {},
): Promise<StageData> =>
  prepareStage({
    stage: parseStage(stage),
    needs: 'examples',
    tokenizer: byteTokenizer(),
    block_size: 256,
    ...options,
  });

const small = { size: 40, eval_size: 10 };

describe('data of a stage from a generated task', () => {
  test('SFT gets examples, and held-out prompts with rewards', async () => {
    const data = await prepare({ dataset: { task: 'tales', ...small } });
    expect(data.examples.train).toHaveLength(40);
    expect(data.examples.val).toHaveLength(10);
    expect(data.prompts.val.length).toBeGreaterThan(0);
    expect(data.prompts.train).toHaveLength(0);
    expect(data.rewards.map(({ name }) => name)).toContain('correct');
    expect(data.row_length % 8).toBe(0);
    const longest = Math.max(...data.examples.train.map(({ ids }) => ids.length));
    expect(data.row_length).toBeGreaterThanOrEqual(longest);
  });

  test('pairs begin with the same prompt and have a true reward', async () => {
    const stage: StageInput = { objective: 'dpo', dataset: { task: 'tales', ...small } };
    const data = await prepare(stage, { needs: 'pairs' });
    const [pair] = data.pairs.train;
    const start = pair?.chosen.mask.indexOf(1) ?? -1;
    expect(start).toBe(pair?.rejected.mask.indexOf(1));
    expect(pair?.chosen.ids.slice(0, start)).toEqual(pair?.rejected.ids.slice(0, start));
    expect(data.true_reward).not.toBeNull();
  });

  test('prompts leave room for the answer', async () => {
    const stage: StageInput = { objective: 'grpo', dataset: { task: 'arithmetic', ...small } };
    const data = await prepare(stage, { needs: 'prompts' });
    expect(data.prompts.train).toHaveLength(40);
    const longest = Math.max(...data.prompts.train.map(({ ids }) => ids.length));
    expect(data.row_length).toBeGreaterThanOrEqual(longest + 32);
  });
});

const jsonl = (...rows: unknown[]) => ({
  name: 'own.jsonl',
  bytes: utf8(rows.map((row) => JSON.stringify(row)).join('\n')),
});
const OWN: StageInput = { dataset: { task: 'own' } };

describe('data of a stage from a .jsonl file', () => {
  test('a tenth of the examples is held out, and prompts of it are shown', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({ prompt: `${i}=`, completion: `${i}` }));
    const data = await prepare(OWN, { own: jsonl(...rows) });
    expect(data.examples.train).toHaveLength(27);
    expect(data.examples.val).toHaveLength(3);
    expect(data.prompts.val).toHaveLength(3);
    const [correct] = data.rewards;
    const [prompt] = data.prompts.val;
    if (!prompt || !correct) throw new Error('no prompt');
    const answer = { text: prompt.example.answer ?? '', ended: true, tokens: 1, max_tokens: 4 };
    expect(correct.score(prompt.example, answer)).toBe(1);
    expect(correct.score(prompt.example, { ...answer, text: 'x' })).toBe(0);
  });

  test('examples that are too long are cut at their end, and counted', async () => {
    const own = jsonl(
      { prompt: 'a', completion: 'b'.repeat(30) },
      { prompt: 'a', completion: 'b' },
    );
    const data = await prepare(OWN, { own, block_size: 16 });
    expect(data.examples.train.map(({ ids }) => ids.length)).toEqual([16, 3]);
    expect(data.notes).toEqual([
      'Examples longer than the context of 16 tokens, cut at their end: 1.',
    ]);
    expect(data.row_length).toBe(16);
  });

  test('a stage in which nothing is learned is refused', async () => {
    const own = jsonl({ prompt: 'a'.repeat(20), completion: 'b' });
    await expect(prepare(OWN, { own, block_size: 16 })).rejects.toThrow('No examples are left');
  });

  test('pairs that are too long are left out, and counted', async () => {
    const short = { prompt: 'a', chosen: 'b', rejected: 'c' };
    const own = jsonl(short, { ...short, rejected: 'c'.repeat(20) });
    const data = await prepare(OWN, { own, needs: 'pairs', block_size: 16 });
    expect(data.pairs.train).toHaveLength(1);
    expect(data.notes).toEqual(['Pairs longer than the context of 16 tokens, left out: 1.']);
  });

  test('a prompt that is longer than the context is an error that names its line', async () => {
    const own = jsonl({ prompt: 'a' }, { prompt: 'a'.repeat(16) });
    const refused = prepare(OWN, { own, needs: 'prompts', block_size: 16 });
    await expect(refused).rejects.toThrow(
      'Line 2 of "own.jsonl": A prompt of 16 tokens leaves no room for an answer in a context of 16.',
    );
  });
});

describe('votes', () => {
  const vote = { run: 'r', step: 1, prompt: 'a', at: 0 };
  const votes = [
    { ...vote, answers: ['b', 'c'] as const, choice: 1 as const },
    { ...vote, answers: ['b', 'c'] as const, choice: null },
    { ...vote, answers: ['b', 'b'] as const, choice: 0 as const },
  ];

  test('train alone, or beside other pairs', async () => {
    const dataset = { task: 'tales', ...small } as const;
    const only = await prepare(
      { dataset: { ...dataset, votes: 'only' } },
      { needs: 'pairs', votes },
    );
    expect(only.pairs.train.map(({ example }) => example.chosen)).toEqual(['c']);
    expect(only.pairs.val).toHaveLength(10);
    expect(only.notes).toEqual([
      'Votes for neither answer or between equal ones, left out: 2 of 3.',
    ]);
    const beside = await prepare(
      { dataset: { ...dataset, votes: 'beside' } },
      { needs: 'pairs', votes },
    );
    expect(beside.pairs.train).toHaveLength(41);
    const none = await prepare({ dataset }, { needs: 'pairs', votes });
    expect(none.pairs.train).toHaveLength(40);
  });

  test('a stage on votes alone needs a vote', async () => {
    const stage: StageInput = { dataset: { task: 'tales', ...small, votes: 'only' } };
    await expect(prepare(stage, { needs: 'pairs' })).rejects.toThrow('There is no vote');
  });
});
