import { beforeAll, describe, expect, it } from 'vitest';
import { deviceClass, gpuMemory, isSoftware, startBackend } from '../../backend/index.ts';
import { candidatesOf } from './candidates.ts';
import {
  type Choices,
  defaultPlan,
  keyOf,
  planMatmul,
  seenMatmuls,
  setChoices,
} from './choices.ts';
import { type DeviceClass, type MatmulShape, pickPlan } from './plan.ts';
import { testComponentStores } from './self_test.ts';
import { tileNamed } from './tiles.ts';
import { tuneMatmuls } from './tuner.ts';

const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});

const shape: MatmulShape = {
  transpose_a: true,
  transpose_b: false,
  M: 36,
  N: 32,
  K: 144,
  columns: true,
};
const unlimited = { stopped: () => false, budget_ms: 300_000 };

describe('component stores', () => {
  it('pass their test on this device', async () => {
    expect(await testComponentStores(64)).toBe(true);
    expect(errors).toEqual([]);
  });
});

describe('the tuner', () => {
  it('picks one of the candidates, frees its memory, and its choice is used afterwards', async () => {
    setChoices({});
    const before = gpuMemory().allocated;
    const found = await tuneMatmuls([shape], {}, unlimited);
    const choice = found[keyOf(shape)];
    expect(errors).toEqual([]);
    expect(candidatesOf(shape, deviceClass(), false).map((plan) => plan.tile.name)).toContain(
      choice?.tile,
    );
    expect(gpuMemory().allocated).toBe(before);
    setChoices(found);
    const plan = planMatmul(shape, false);
    expect(seenMatmuls()).toEqual([shape]);
    expect({ tile: plan.tile.name, splits: plan.splits, columns: plan.columns }).toEqual(choice);
    // A known shape is not timed again.
    expect(await tuneMatmuls([shape], found, { stopped: () => false, budget_ms: 50 })).toEqual(
      found,
    );
  });

  it('stops when it is told to and keeps what it knew', async () => {
    let asked = 0;
    const known: Choices = { 'nn 1x1x1': { tile: 'small', splits: 1, columns: 'staged' } };
    expect(
      await tuneMatmuls([shape], known, { stopped: () => ++asked > 2, budget_ms: 300_000 }),
    ).toEqual(known);
    expect(asked).toBe(3);
  });

  it('is not for software adapters', () => expect(isSoftware()).toBe(true));
});

describe('choices', () => {
  const product: MatmulShape = {
    transpose_a: false,
    transpose_b: true,
    M: 512,
    N: 256,
    K: 128,
    columns: false,
  };
  it.each([
    {
      title: 'select a component tile on a device that passed the test',
      tile: 'half by components',
      passed: true,
      used: true,
    },
    {
      title: 'are ignored for a component tile on a device that did not pass',
      tile: 'half by components',
      passed: false,
      used: false,
    },
    {
      title: 'are ignored if the tile is unknown',
      tile: 'tile of another version',
      passed: true,
      used: false,
    },
  ])('$title', ({ tile, passed, used }) => {
    const choices: Choices = { [keyOf(product)]: { tile, splits: 2, columns: 'staged' } };
    setChoices(choices, { component_stores: passed, subgroup_matrices: false });
    const standard = pickPlan(deviceClass(), product);
    const plan = planMatmul(product, false);
    expect(plan.tile.name).toBe(used ? tile : standard.tile.name);
    expect(plan.splits).toBe(used ? 2 : standard.splits);
    setChoices({});
  });
});

describe('matmuls of float16 operands', () => {
  it.each([
    { float16: true, offered: true, M: 48, K: 2048, used: true },
    { float16: true, offered: false, M: 48, K: 2048, used: false },
    { float16: false, offered: true, M: 48, K: 2048, used: false },
    { float16: true, offered: true, M: 40, K: 2048, used: false },
    { float16: true, offered: true, M: 48, K: 64, used: false },
  ])(
    'use subgroup matrices: $used (float16 $float16, offered $offered, $M rows, K $K)',
    ({ float16, offered, M, K, used }) => {
      setChoices({}, { component_stores: false, subgroup_matrices: offered });
      const { tile } = planMatmul(
        { transpose_a: false, transpose_b: false, M, N: 2048, K, columns: false },
        float16,
      );
      expect(tile.name.includes('subgroups')).toBe(used);
      setChoices({});
    },
  );
});

/** The fastest plans of a search on an H100, or within a few percent of them. */
describe('the default plan of a large GPU', () => {
  it.each(
    (
      [
        [8192, 1152, 384, false, 'wide by components', 1],
        [8192, 384, 8192, false, 'wide by components', 1],
        [2048, 128, 10000, false, 'wide by components', 12],
        [10000, 128, 2048, false, 'wide by components', 5],
        [8192, 1536, 384, false, 'wide by components', 1],
        [8192, 8192, 384, false, 'wide by components', 1],
        [2048, 10000, 128, false, 'large square by components', 1],
        [1024, 1024, 1024, false, 'wide by components', 3],
        [2048, 2048, 2048, false, 'large square by components', 1],
        [4096, 4096, 4096, false, 'large square by components', 1],
        [384, 1152, 8192, true, 'tall by components', 7],
        [384, 384, 8192, true, 'tall by components', 22],
        [384, 1536, 8192, true, 'tall by components', 11],
        [2048, 384, 128, false, 'middle by components', 1],
        [2048, 320, 192, false, 'middle by components', 1],
        [2048, 256, 128, false, 'square by components', 1],
        [2048, 128, 256, false, 'small by components', 1],
        [128, 384, 2048, true, 'square by components', 11],
        [128, 256, 2048, true, 'square by components', 16],
        [128, 128, 2048, true, 'half by components', 16],
      ] as const
    ).map(([M, N, K, columns, tile, splits]) => ({ M, N, K, columns, tile, splits })),
  )(
    '$M x $N x $K, columns $columns: $tile in $splits parts',
    ({ M, N, K, columns, tile, splits }) => {
      const plan = defaultPlan(
        { transpose_a: columns, transpose_b: false, M, N, K, columns },
        'large',
        true,
      );
      expect([plan.tile.name, plan.splits]).toEqual([tile, splits]);
    },
  );
});

describe('candidates', () => {
  const cases: { device: DeviceClass; M: number; N: number; K: number }[] = [
    { device: 'large', M: 8192, N: 384, K: 1536 },
    { device: 'small', M: 8192, N: 384, K: 1536 },
    { device: 'small', M: 768, N: 512, K: 128 },
    { device: 'large', M: 128, N: 128, K: 2048 },
    { device: 'small', M: 1, N: 64, K: 64 },
  ];
  it.each(cases)(
    'are a few distinct plans, the default first: $device $M x $N x $K',
    ({ device, M, N, K }) => {
      const sizes = { transpose_a: false, transpose_b: false, M, N, K, columns: false };
      const plans = candidatesOf(sizes, device, device === 'large');
      const keys = plans.map((plan) => `${plan.tile.name} ${plan.splits}`);
      expect(new Set(keys).size).toBe(keys.length);
      expect(plans[0]).toEqual(defaultPlan(sizes, device, device === 'large'));
      expect(plans.length).toBeLessThanOrEqual(13);
      for (const plan of plans) {
        expect(tileNamed(plan.tile.name)).toEqual(plan.tile);
        expect(plan.splits * plan.k_per_split).toBeGreaterThanOrEqual(K);
      }
      if (device === 'small')
        for (const plan of plans) expect(plan.tile).toMatchObject({ staging: 'blocks' });
    },
  );
});
