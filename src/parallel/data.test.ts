/** Data parallelism and ZeRO against one rank, on the engine in Node. */
import { beforeAll, describe, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import type { Mesh } from '../common/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { expectSameBits, expectWithin, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const STEPS = 50;

describe('with AdamW', () => {
  const config = smallConfig({ training: { grad_clip: 0.5 } });
  const train = (mesh: Partial<Mesh>) => trainRanks({ config, steps: STEPS, mesh });

  test('two and four ranks are one rank within 1e-5', async () => {
    const one = await train({});
    for (const dp of [2, 4]) {
      expectWithin(1e-5, one, await train({ dp }), `dp ${dp}`);
    }
  });

  test.each([1, 2, 3] as const)('ZeRO-%i is data parallelism bit for bit', async (zero_stage) => {
    expectSameBits(await train({ dp: 4 }), await train({ dp: 4, zero_stage }));
  });
});

test('ZeRO-1 with Muon is data parallelism bit for bit', async () => {
  const config = smallConfig({ training: { optimizer: 'muon' } });
  const mesh = { dp: 2 };
  const plain = await trainRanks({ config, steps: 5, mesh });
  const sharded = await trainRanks({ config, steps: 5, mesh: { ...mesh, zero_stage: 1 } });
  expectSameBits(plain, sharded);
});

test('a saved factor on the learning rate is used and saved again', async () => {
  const config = smallConfig();
  const { state } = await trainRanks({ config, steps: 2 });
  const slower = { ...state, lr_multiplier: 0.1 };
  const [asSaved, continued] = [
    await trainRanks({ config, steps: 3, from: state, mesh: { dp: 2 } }),
    await trainRanks({ config, steps: 3, from: slower, mesh: { dp: 2 } }),
  ];
  expect(continued.state.lr_multiplier).toBe(0.1);
  expect(continued.losses[0]).toBe(asSaved.losses[0]);
  expect(continued.losses[2]).not.toBe(asSaved.losses[2]);
});
