/** Data parallelism and ZeRO against one rank, on the engine in Node. */
import { beforeAll, describe, expect, test } from 'vitest';
import type { Mesh } from '../common/index.ts';
import { startEngine } from '../testing/node_engine.ts';
import { expectSameBits, expectWithin, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(startEngine);

const STEPS = 50;

describe('with AdamW', () => {
  const config = smallConfig({ training: { grad_clip: 0.5 } });
  const train = (mesh: Partial<Mesh>) => trainRanks({ config, steps: STEPS, mesh });

  test('two and four ranks match one rank within 1e-5', async () => {
    const oneRank = await train({});
    for (const dp of [2, 4]) {
      expectWithin(1e-5, oneRank, await train({ dp }), `dp ${dp}`);
    }
  });

  test.each([1, 2, 3] as const)(
    'ZeRO-%i matches data parallelism bit for bit',
    async (zero_stage) => {
      expectSameBits(await train({ dp: 4 }), await train({ dp: 4, zero_stage }));
    },
  );
});

test('all stages of ZeRO have the same bits if gradients are reduced after each micro-batch', async () => {
  const config = smallConfig({ training: { batch_size: 4, gradient_accumulation_steps: 3 } });
  const train = (mesh: Partial<Mesh>) =>
    trainRanks({ config, steps: 10, mesh: { dp: 2, sync_each_batch: true, ...mesh } });
  const plain = await train({});
  for (const zero_stage of [1, 2, 3] as const) expectSameBits(plain, await train({ zero_stage }));
  expectWithin(1e-5, plain, await train({ sync_each_batch: false }), 'reduced once a step');
});

test('ZeRO-1 with Muon matches data parallelism bit for bit', async () => {
  const config = smallConfig({ training: { optimizer: 'muon' } });
  const mesh = { dp: 2 };
  const plain = await trainRanks({ config, steps: 5, mesh });
  const sharded = await trainRanks({ config, steps: 5, mesh: { ...mesh, zero_stage: 1 } });
  expectSameBits(plain, sharded);
});

test('the lr_multiplier of a checkpoint is used and saved again', async () => {
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
