import { describe, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import type { RowChoice } from '../model/index.ts';
import type { Sample } from '../protocol/index.ts';
import { drawSamples, generatePieces, type Source } from './samples.ts';
import { prepareText } from './text.ts';

const config = defaultConfig();
config.data.corpus = 'names';
const text = await prepareText(config, {
  text: null,
  signal: new AbortController().signal,
  progress: () => undefined,
});
const encode = (string: string): number[] => [...text.tokenizer.encode(string)];

/** A generator that writes the given texts, one token of each in turn. */
function fakeGenerator(texts: readonly string[]) {
  const rows = texts.map(encode);
  const requests: { prompts: readonly (readonly number[])[]; seed: number }[] = [];
  return {
    requests,
    async *generateRows(
      prompts: readonly (readonly number[])[],
      options: { sample_seed: number },
    ): AsyncGenerator<RowChoice> {
      requests.push({ prompts, seed: options.sample_seed });
      const longest = Math.max(0, ...rows.map((ids) => ids.length));
      for (let i = 0; i < longest; i++)
        for (const [row, ids] of rows.entries()) {
          const id = ids[i];
          if (id === undefined) continue;
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
const sourceOf = (generator: Source['generator'], stopped = (): boolean => false): Source => ({
  generator,
  text,
  stopped,
});

const textOf = (sample: Sample): string => sample.tokens.map((token) => token.text).join('');

describe('drawSamples', () => {
  it('asks only for tokens that the tokenizer has, where the model has more rows', async () => {
    const limits: unknown[] = [];
    const generator: Source['generator'] = {
      async *generateRows(_, { vocab_limit }) {
        limits.push(vocab_limit);
        yield* [];
      },
    };
    await drawSamples(sourceOf(generator), sampling, 1, () => undefined);
    expect(limits).toEqual([text.tokenizer.vocab_size]);
  });

  it('generates one batch, reports samples in prompt order, and seeds it by the step', async () => {
    const generator = fakeGenerator(['nnabel', 'zoella', 'rianna']);
    const samples: Sample[] = [];
    await drawSamples(sourceOf(generator), sampling, 3, (sample) => samples.push(sample));
    expect(generator.requests).toEqual([
      {
        prompts: [encode('\na'), encode('\n'), encode('\nb')],
        seed: 2,
      },
    ]);
    expect(samples.map((sample) => [sample.step, sample.prompt, textOf(sample)])).toEqual([
      [3, 'a', 'nnabel'],
      [3, '', 'zoella'],
      [3, 'b', 'rianna'],
    ]);
  });

  it('counts a cut-off name as copied if it occurs anywhere in the training text', async () => {
    const samples: Sample[] = [];
    // "nnabel" and "rianna" are parts of the names annabel and brianna; no name contains "zoella".
    const share = await drawSamples(
      sourceOf(fakeGenerator(['nnabel', 'zoella', 'rianna'])),
      sampling,
      3,
      (sample) => samples.push(sample),
    );
    expect(samples.map((sample) => sample.memorized)).toEqual([true, false, true]);
    expect(share).toBeCloseTo(1 / 3, 12);
  });

  it('counts only whole names as copied in samples with finished names', async () => {
    const samples: Sample[] = [];
    // "anna" is part of other names but not a name of the training text; "ann" and "zoe" are.
    const share = await drawSamples(
      sourceOf(fakeGenerator(['nna\nz\n', 'ann\nzq', 'ob\nxq\n'])),
      { ...sampling, prompts: ['a', '', 'b'] },
      3,
      (sample) => samples.push(sample),
    );
    // New: "anna" and "z"; none, as "zq" is unfinished; "bob" and "xq".
    expect(samples.map((sample) => sample.memorized)).toEqual([false, true, false]);
    expect(share).toBeCloseTo(2 / 3, 12);
  });

  it('averages the share of new names over the samples', async () => {
    // Half of the first sample's names are new, all of the second's.
    const share = await drawSamples(
      sourceOf(fakeGenerator(['nn\nzq\n', 'zq\nxq\n'])),
      { ...sampling, prompts: ['a', ''] },
      3,
      () => undefined,
    );
    expect(share).toBe(0.75);
  });

  it('reports a prompt that the tokenizer cannot encode, in its place, and skips it', async () => {
    const generator = fakeGenerator(['nnabel', 'zoella']);
    const samples: Sample[] = [];
    const share = await drawSamples(
      sourceOf(generator),
      { ...sampling, prompts: ['a', 'zoë', ''] },
      3,
      (sample) => samples.push(sample),
    );
    expect(generator.requests).toEqual([{ prompts: [encode('\na'), encode('\n')], seed: 2 }]);
    expect(samples.map((sample) => [sample.prompt, textOf(sample)])).toEqual([
      ['a', 'nnabel'],
      ['zoë', ''],
      ['', 'zoella'],
    ]);
    expect(samples.map((sample) => sample.problem)).toEqual([
      undefined,
      'The character "ë" (U+00EB) does not occur in the training text: ' +
        'leave it out, or choose the byte or BPE tokenizer, which encode every character.',
      undefined,
    ]);
    // The skipped prompt does not count: one of two samples is new.
    expect(share).toBe(0.5);
  });

  it('generates nothing if no prompt can be encoded', async () => {
    const generator = fakeGenerator([]);
    const samples: Sample[] = [];
    const share = await drawSamples(
      sourceOf(generator),
      { ...sampling, prompts: ['€', '$'] },
      0,
      (sample) => samples.push(sample),
    );
    expect(share).toBeNaN();
    expect(generator.requests).toEqual([]);
    expect(samples.map((sample) => sample.problem?.slice(0, 19))).toEqual([
      'The character "€" (',
      'The character "$" (',
    ]);
  });

  it('reports no unfinished sample when it is stopped', async () => {
    const samples: Sample[] = [];
    let remaining = 7;
    const share = await drawSamples(
      sourceOf(fakeGenerator(['nnabel', 'zoella', 'rianna']), () => --remaining < 0),
      sampling,
      0,
      (sample) => samples.push(sample),
    );
    expect(share).toBeNaN();
    expect(samples).toEqual([]);
  });
});

describe('generatePieces', () => {
  it('yields the text, probability and alternatives of each token', async () => {
    const pieces = [];
    for await (const piece of generatePieces(sourceOf(fakeGenerator(['mia'])), 'a', sampling))
      pieces.push(piece);
    expect(pieces.map((piece) => piece.text)).toEqual(['m', 'i', 'a']);
    expect(pieces[0]).toMatchObject({ probability: 0.5, rivals: [{ probability: 0.25 }] });
  });
});
