import { tensor } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { caseRandom } from '../../testing/random.ts';
import { run } from '../define.ts';
import { CONTROL_COLUMNS, PROGRESS_COLUMNS, sampleTokens, CHOICE_TOKENS } from './sample_token.ts';
import { sampleToken, uniformAt } from './sampler.ts';

const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});

it.each([
  ['the whole vocabulary', { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0 }, 1],
  ['top_k', { temperature: 1, top_k: 50, top_p: 1, min_p: 0 }, 2],
  ['top_p', { temperature: 1, top_k: 0, top_p: 0.95, min_p: 0 }, 3],
  ['min_p', { temperature: 1.5, top_k: 0, top_p: 1, min_p: 0.05 }, 4],
  ['all options', { temperature: 0.7, top_k: 300, top_p: 0.9, min_p: 0.01 }, 5],
] as const)(
  'the kernel chooses what the host sampler chooses: %s',
  async (_name, options, seed) => {
    const rows = 256;
    const vocab = 600;
    const logits = Float32Array.from(caseRandom(seed).normal([rows * vocab], 2).data);
    const seeds = Array.from({ length: rows }, (_, b) => 2 ** 31 - 1 - CONTROL_COLUMNS * b);
    const positions = Array.from({ length: rows }, (_, b) => 31 * PROGRESS_COLUMNS * b);
    const control = seeds.flatMap((rowSeed) => [rowSeed, 1, -1]);
    const progress = positions.flatMap((position) => [position, position + 31]);
    const { temperature, top_k, top_p, min_p } = options;

    const outputs = run(
      sampleTokens,
      {
        logits: tensor(logits, [rows, vocab]),
        control: tensor(Int32Array.from(control), [rows, CONTROL_COLUMNS]),
        progress: tensor(Int32Array.from(progress), [rows, PROGRESS_COLUMNS]),
        options: tensor(Float32Array.of(temperature, top_k, top_p, min_p, 0)),
      },
      {},
    );
    const [ids = [], probabilities = []] = await readback([outputs.ids, outputs.probabilities]);
    expect(errors).toEqual([]);

    const expected = seeds.map((rowSeed, b) => {
      const rowLogits = logits.subarray(b * vocab, (b + 1) * vocab);
      return sampleToken(rowLogits, options, uniformAt(rowSeed, positions[b] ?? 0));
    });
    expect(expected.map((_, b) => ids[CHOICE_TOKENS * b])).toEqual(
      expected.map((choice) => choice.id),
    );
    expect(new Set(expected.map((choice) => choice.id)).size).toBeGreaterThan(100);
    expect(
      expected.map((_, b) => Array.from(ids.slice(CHOICE_TOKENS * b + 1, CHOICE_TOKENS * (b + 1)))),
    ).toEqual(expected.map((choice) => choice.rivals.map((rival) => rival.id)));
    expected.forEach((choice, b) => {
      const ratio = (probabilities[CHOICE_TOKENS * b] ?? NaN) / choice.probability;
      expect(Math.abs(ratio - 1)).toBeLessThan(1e-5);
    });
  },
);
