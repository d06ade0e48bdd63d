import { beforeAll, describe, expect, it } from 'vitest';
import { deviceClass, gpuMemory, isSoftware, startBackend } from '../../backend/index.ts';
import {
  type Choices,
  defaultOf,
  keyOf,
  planProduct,
  seenProducts,
  setChoices,
  type Wanted,
} from './choices.ts';
import { testComponentStores } from './self_test.ts';
import { pickTile, tileNamed } from './tile.ts';
import { candidatesOf, tuneProducts } from './tuner.ts';

const errors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});

const wanted: Wanted = {
  transpose_a: true,
  transpose_b: false,
  M: 36,
  N: 32,
  K: 144,
  columns: true,
};
const forever = { stopped: () => false, budget_ms: 300_000 };

describe('component stores', () => {
  it('pass the test of them here', async () => {
    expect(await testComponentStores(64)).toBe(true);
    expect(errors).toEqual([]);
  });
});

describe('the tuner', () => {
  it('finds a plan for a product among its candidates, leaves nothing behind, and what it finds is used afterwards', async () => {
    setChoices({});
    const before = gpuMemory().allocated;
    const found = await tuneProducts([wanted], {}, forever);
    const choice = found[keyOf(wanted)];
    expect(errors).toEqual([]);
    expect(candidatesOf(wanted, deviceClass(), false).map((p) => p.tile.name)).toContain(
      choice?.tile,
    );
    expect(gpuMemory().allocated).toBe(before);
    setChoices(found);
    const plan = planProduct(wanted, false);
    expect(seenProducts()).toEqual([wanted]);
    expect({ tile: plan.tile.name, splits: plan.splits, columns: plan.columns }).toEqual(choice);
    // Known already: nothing is timed again.
    expect(await tuneProducts([wanted], found, { stopped: () => false, budget_ms: 50 })).toEqual(
      found,
    );
  });

  it('stops when it is told to, and keeps what it knew', async () => {
    let asked = 0;
    const known: Choices = { 'nn 1x1x1': { tile: 'small', splits: 1, columns: 'staged' } };
    expect(
      await tuneProducts([wanted], known, { stopped: () => ++asked > 2, budget_ms: 300_000 }),
    ).toEqual(known);
    expect(asked).toBe(3);
  });

  it('is not for software adapters', () => expect(isSoftware()).toBe(true));
});

describe('choices', () => {
  const product: Wanted = {
    transpose_a: false,
    transpose_b: true,
    M: 512,
    N: 256,
    K: 128,
    columns: false,
  };
  const named = (tile: string): Choices => ({
    [keyOf(product)]: { tile, splits: 2, columns: 'staged' },
  });
  it.each([
    [
      'a tile by components on a device that passed the test',
      'half by components',
      true,
      'half by components',
    ],
    ['the default on one that did not', 'half by components', false, null],
    ['the default where the tile is not known', 'tile of another version', true, null],
  ] as const)('are %s', (_, tile, passed, expected) => {
    setChoices(named(tile), { component_stores: passed, subgroup_matrices: false });
    const standard = pickTile(deviceClass(), product.M, product.N, product.K);
    const plan = planProduct(product, false);
    expect(plan.tile.name).toBe(expected ?? standard.tile.name);
    expect(plan.splits).toBe(expected ? 2 : standard.splits);
    setChoices({});
  });
});

describe('products in halves', () => {
  it.each([
    [true, true, 48, 2048, true],
    [true, false, 48, 2048, false],
    [false, true, 48, 2048, false],
    [true, true, 40, 2048, false],
    [true, true, 48, 64, false],
  ] as const)(
    'take subgroup matrices where %s, %s, the sizes fit and are worth it: %i rows, K %i',
    (in_halves, offered, M, K, expected) => {
      setChoices({}, { component_stores: false, subgroup_matrices: offered });
      expect(
        planProduct(
          { transpose_a: false, transpose_b: false, M, N: 2048, K, columns: false },
          in_halves,
        ).tile.name.includes('subgroups'),
      ).toBe(expected);
      setChoices({});
    },
  );
});

/** What the search on an H100 found best, or within a few per cent of it. */
describe('the default of a large card', () => {
  it.each([
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
  ] as const)('%i x %i x %i, columns %s: %s in %i parts', (M, N, K, columns, tile, splits) => {
    const plan = defaultOf(
      { transpose_a: columns, transpose_b: false, M, N, K, columns },
      'large',
      true,
    );
    expect([plan.tile.name, plan.splits]).toEqual([tile, splits]);
  });
});

describe('candidates', () => {
  it.each([
    ['large', 8192, 384, 1536],
    ['small', 8192, 384, 1536],
    ['small', 768, 512, 128],
    ['large', 128, 128, 2048],
    ['small', 1, 64, 64],
  ] as const)('%s %i x %i x %i: a few, each once, the default first', (device, M, N, K) => {
    const plans = candidatesOf(
      { transpose_a: false, transpose_b: false, M, N, K, columns: false },
      device,
      device === 'large',
    );
    const keys = plans.map((p) => `${p.tile.name} ${p.splits}`);
    expect(new Set(keys).size).toBe(keys.length);
    expect(plans[0]).toEqual(
      defaultOf(
        { transpose_a: false, transpose_b: false, M, N, K, columns: false },
        device,
        device === 'large',
      ),
    );
    expect(plans.length).toBeLessThanOrEqual(13);
    for (const p of plans) {
      expect(tileNamed(p.tile.name)).toEqual(p.tile);
      expect(p.splits * p.k_per_split).toBeGreaterThanOrEqual(K);
    }
    if (device === 'small')
      for (const p of plans) expect(p.tile).toMatchObject({ staging: 'blocks' });
  });
});
