import { describe, expect, it } from 'vitest';
import type { ShownStep, ShownToken } from '../../common/index.ts';
import { groupsOf, quantitiesOf, scaleOf, shadeOf, valueOf } from './inside.ts';

const token = (text: string, change: Partial<ShownToken> = {}): ShownToken => ({
  id: text.charCodeAt(0),
  text,
  mask: 1,
  ...change,
});
const PROMPT = [token('Q', { mask: 0 }), token('?', { mask: 0 })];

const STEP: ShownStep = {
  objective: 'grpo',
  step: 3,
  rows: [
    {
      group: 0,
      label: 'answer 1',
      advantage: 1.5,
      tokens: [...PROMPT, token('a', { ratio: 2, logp: -1 })],
    },
    {
      group: 0,
      label: 'answer 2',
      advantage: -3,
      tokens: [...PROMPT, token('b', { ratio: 1 })],
    },
    { group: 1, label: 'answer 1', no_signal: true, tokens: [...PROMPT, token('c')] },
  ],
};

describe('inside a step', () => {
  it('groups rows under the prompt that they share', () => {
    const [first, second] = groupsOf(STEP);
    expect(first?.prompt.map(({ text }) => text)).toEqual(['Q', '?']);
    expect(first?.rows.map(({ tokens }) => tokens.map(({ text }) => text))).toEqual([['a'], ['b']]);
    expect([first?.no_signal, second?.no_signal]).toEqual([false, true]);
  });
  it('offers the quantities that some token has', () => {
    expect(quantitiesOf(STEP)).toEqual(['advantage', 'ratio', 'logp', 'mask']);
  });
  it('gives the tokens of an answer its advantage, and none to the prompt', () => {
    const [row] = STEP.rows;
    expect(row?.tokens.map((one) => valueOf(one, row, 'advantage'))).toEqual([
      undefined,
      undefined,
      1.5,
    ]);
  });
  it('colours by size and sign, strongest at the largest of the step', () => {
    const scale = scaleOf(STEP, 'advantage');
    expect(scale).toBe(3);
    expect(shadeOf(-3, scale)).toEqual({ sign: -1, level: 5 });
    expect(shadeOf(1.5, scale)).toEqual({ sign: 1, level: 3 });
    expect(shadeOf(0, scale).level).toBe(0);
    expect(shadeOf(undefined, scale).level).toBe(0);
  });
  it('has no colour for a ratio of 1', () => {
    const [, row] = STEP.rows;
    const last = row?.tokens.at(-1);
    expect(row && last && shadeOf(valueOf(last, row, 'ratio'), 1).level).toBe(0);
  });
});
