import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import type { RowChoice } from '../model/index.ts';
import type { Sample } from '../protocol/index.ts';
import { drawSamples, generatePieces } from './samples.ts';
import { prepareText } from './text.ts';

const config = defaultConfig();
config.data.corpus = 'names';
const text = await prepareText(config, {
  text: null,
  signal: new AbortController().signal,
  progress: () => undefined,
});
const ids = (s: string): number[] => [...text.tokenizer.encode(s)];

/** Writes these texts, a token of each in turn. */
function writer(texts: readonly string[]) {
  const rows = texts.map(ids);
  const asked: { prompts: readonly (readonly number[])[]; seed: number }[] = [];
  return {
    asked,
    async *generateRows(
      prompts: readonly (readonly number[])[],
      options: { sample_seed: number },
    ): AsyncGenerator<RowChoice> {
      asked.push({ prompts, seed: options.sample_seed });
      for (let i = 0; rows.some((r) => i < r.length); i++)
        for (const [row, r] of rows.entries()) {
          const id = r[i];
          if (id !== undefined)
            yield { row, choice: { id, probability: 0.5, rivals: [{ id: 0, probability: 0.25 }] } };
        }
    },
  };
}
const sampling = {
  ...config.sampling,
  prompts: ['a', '', 'b'],
  max_new_tokens: 6,
  sample_seed: 2 ** 31 - 1,
};
const never = (): boolean => false;

describe('samples', () => {
  it('are written in one batch and told in the order of their prompts, with a seed of their step', async () => {
    const w = writer(['nnabel', 'zoella', 'rianna']);
    const told: Sample[] = [];
    const share = await drawSamples(w, text, sampling, 3, (s) => told.push(s), never);
    expect(w.asked).toEqual([
      { prompts: [[...ids('\n'), ...ids('a')], ids('\n'), [...ids('\n'), ...ids('b')]], seed: 2 },
    ]);
    expect(told.map((s) => [s.step, s.prompt, s.tokens.map((t) => t.text).join('')])).toEqual([
      [3, 'a', 'nnabel'],
      [3, '', 'zoella'],
      [3, 'b', 'rianna'],
    ]);
    expect(share).toBeGreaterThanOrEqual(0);
    expect(share).toBeLessThanOrEqual(1);
  });

  it('leave out a prompt that the tokenizer cannot read, and say why in its place', async () => {
    const w = writer(['nnabel', 'rianna']);
    const told: Sample[] = [];
    const share = await drawSamples(
      w,
      text,
      { ...sampling, prompts: ['a', 'zoë', 'b'] },
      3,
      (s) => told.push(s),
      never,
    );
    expect(w.asked).toEqual([
      {
        prompts: [
          [...ids('\n'), ...ids('a')],
          [...ids('\n'), ...ids('b')],
        ],
        seed: 2,
      },
    ]);
    expect(told.map((s) => [s.prompt, s.tokens.map((t) => t.text).join('')])).toEqual([
      ['a', 'nnabel'],
      ['zoë', ''],
      ['b', 'rianna'],
    ]);
    expect(told.map((s) => s.problem)).toEqual([
      undefined,
      'The character "ë" (U+00EB) does not occur in the training text: leave it out, or choose the byte or BPE tokenizer, which know every character.',
      undefined,
    ]);
    // The same as without it.
    expect(share).toBe(
      await drawSamples(
        writer(['nnabel', 'rianna']),
        text,
        { ...sampling, prompts: ['a', 'b'] },
        3,
        () => undefined,
        never,
      ),
    );
  });

  it('write nothing where no prompt can be read', async () => {
    const w = writer([]);
    const told: Sample[] = [];
    expect(
      await drawSamples(
        w,
        text,
        { ...sampling, prompts: ['€', '$'] },
        0,
        (s) => told.push(s),
        never,
      ),
    ).toBeNaN();
    expect(w.asked).toEqual([]);
    expect(told.map((s) => s.problem?.slice(0, 19))).toEqual([
      'The character "€" (',
      'The character "$" (',
    ]);
  });

  it('end where they are stopped', async () => {
    const told: Sample[] = [];
    let left = 7;
    expect(
      await drawSamples(
        writer(['nnabel', 'zoella', 'rianna']),
        text,
        sampling,
        0,
        (s) => told.push(s),
        () => --left < 0,
      ),
    ).toBeNaN();
    expect(told).toEqual([]);
  });
});

describe('generatePieces', () => {
  it('tells text, probability and rivals of each token', async () => {
    const pieces = [];
    for await (const p of generatePieces(writer(['mia']), text, 'a', sampling, never))
      pieces.push(p);
    expect(pieces.map((p) => p.text)).toEqual(['m', 'i', 'a']);
    expect(pieces[0]).toMatchObject({ probability: 0.5, rivals: [{ probability: 0.25 }] });
  });
});
