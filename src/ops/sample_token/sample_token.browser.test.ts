import { tensor } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { caseRandom } from '../../testing/random.ts';
import { run } from '../define.ts';
import { CONTROL, sampleTokens, TOLD } from './sample_token.ts';
import { sampleToken, uniformAt } from './sampler.ts';

const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});

/**
 * Draws as generation makes them: many rows, each with logits of its own, against the host's
 * sampler.
 */
it.each([
  ['the whole vocabulary', { temperature: 0.8, top_k: 0, top_p: 1, min_p: 0 }, 1],
  ['top_k', { temperature: 1, top_k: 50, top_p: 1, min_p: 0 }, 2],
  ['top_p', { temperature: 1, top_k: 0, top_p: 0.95, min_p: 0 }, 3],
  ['min_p', { temperature: 1.5, top_k: 0, top_p: 1, min_p: 0.05 }, 4],
  ['all of them', { temperature: 0.7, top_k: 300, top_p: 0.9, min_p: 0.01 }, 5],
] as const)('chooses what the host chooses: %s', async (_name, options, seed) => {
  const B = 256;
  const V = 600;
  const random = caseRandom(seed);
  const logits = Float32Array.from(random.normal([B * V], 2).data);
  const control = Int32Array.from({ length: B * CONTROL }, (_, i) =>
    i % CONTROL === 0 ? 2 ** 31 - 1 - i : i % CONTROL === 1 ? 1 : -1,
  );
  const progress = Int32Array.from({ length: 2 * B }, (_, i) => 31 * i);
  const { ids, probabilities } = run(
    sampleTokens,
    {
      logits: tensor(logits, [B, V]),
      control: tensor(control, [B, CONTROL]),
      progress: tensor(progress, [B, 2]),
      options: tensor(
        Float32Array.of(options.temperature, options.top_k, options.top_p, options.min_p),
      ),
    },
    {},
  );
  const [got, shares] = await readback([ids, probabilities]);
  expect(errors).toEqual([]);
  const expected = Array.from({ length: B }, (_, b) =>
    sampleToken(
      logits.subarray(b * V, (b + 1) * V),
      options,
      uniformAt(control[CONTROL * b] ?? 0, progress[2 * b] ?? 0),
    ),
  );
  expect(expected.map((_, b) => got?.[TOLD * b])).toEqual(expected.map((c) => c.id));
  expect(new Set(expected.map((c) => c.id)).size).toBeGreaterThan(100);
  expect(
    expected.map((_, b) => Array.from(got?.slice(TOLD * b + 1, TOLD * (b + 1)) ?? [])),
  ).toEqual(expected.map((c) => c.rivals.map((r) => r.id)));
  expected.forEach((c, b) =>
    expect(Math.abs((shares?.[TOLD * b] ?? NaN) / c.probability - 1)).toBeLessThan(1e-5),
  );
});
