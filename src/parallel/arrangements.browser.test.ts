/** Five steps of four arrangements against one rank, on WebGPU. Ranks share one device. */
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import type { Mesh } from '../common/index.ts';
import {
  expectSameBits,
  expectWithin,
  type RanksRun,
  smallConfig,
  trainRanks,
} from './testing_ranks.ts';

const config = smallConfig({
  model: { tie_word_embeddings: false },
  training: { batch_size: 4 },
});
const train = (mesh: Partial<Mesh>): Promise<RanksRun> =>
  trainRanks({ config, steps: 5, mesh, evaluate: true });

let oneRank: RanksRun;
beforeAll(async () => {
  await startBackend('webgpu');
  oneRank = await train({});
}, 60_000);

test('a pipeline of two stages matches one rank bit for bit', async () => {
  expect(oneRank.losses.at(-1)).toBeLessThan(oneRank.losses[0] ?? 0);
  const staged = await train({ pp: 2 });
  expectSameBits(oneRank, staged);
  expect(staged.evaluation).toEqual(oneRank.evaluation);
}, 60_000);

test('data parallelism and ZeRO-3 agree bit for bit, and match one rank', async () => {
  const two = await train({ dp: 2 });
  expectWithin(1e-5, oneRank, two, 'dp 2 on WebGPU');
  const sharded = await train({ dp: 2, zero_stage: 3 });
  expectSameBits(two, sharded);
  expect(sharded.evaluation).toEqual(two.evaluation);
}, 60_000);

test('tensor parallelism matches one rank within 1e-5', async () => {
  expectWithin(1e-5, oneRank, await train({ tp: 2 }), 'tp 2 on WebGPU');
}, 60_000);
