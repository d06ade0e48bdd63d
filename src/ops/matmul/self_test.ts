/**
 * What a device must show before kernels that need it are used: stores of single components of a
 * shared vec4, and subgroup matrices.
 */
import {
  compileProgram,
  deviceClass,
  fillInPlace,
  type Outputs,
  readback,
  Store,
  subgroupMatricesOffered,
  submit,
} from '../../backend/index.ts';
import { testSubgroupAttention } from '../attention/self_test.ts';
import { type Choices, setChoices } from './choices.ts';
import { fillWithNoise, largestDifference } from './compare.ts';
import { productKernel } from './kernel.ts';
import { type AnyTile, planOf, SUBGROUP_TILES, type Tile, TILES } from './tile.ts';

/**
 * Sets what products (and attention) are planned by, after tests of what the device can do, where
 * they decide anything. On WebGPU. Subgroup matrices are used where they are asked for, offered and
 * right.
 */
export async function prepareProducts(
  choices: Choices = {},
  subgroup_matrices = false,
): Promise<{ subgroup_matrices: boolean }> {
  const offered = subgroup_matrices && subgroupMatricesOffered();
  const component_stores = deviceClass() === 'large' && (await testComponentStores());
  const right = offered && (await testSubgroupMatrices());
  setChoices(choices, {
    component_stores,
    subgroup_matrices: right,
    subgroup_attention: right && (await testSubgroupAttention()),
  });
  return { subgroup_matrices: right };
}

/**
 * Makes a product of some hundred workgroups twice, staged by blocks and by components. Both add in
 * one order, so the results are the same to the bit, unless threads wrote over what others had
 * stored. False too where a kernel does not compile.
 */
export async function testComponentStores(size = 512): Promise<boolean> {
  const tile = (staging: Tile['staging']): Tile => ({ ...TILES.small, staging });
  const [difference, largest] = await compareTiles(
    tile('blocks'),
    tile('components'),
    size,
    size,
    64,
    3,
  );
  return difference === 0 && largest > 1;
}

/**
 * A product by subgroup matrices against the plainest kernel: operands rounded to 11 bits, so
 * within some 2^-10 of the largest value.
 */
export async function testSubgroupMatrices(): Promise<boolean> {
  const [difference, largest] = await compareTiles(
    TILES.small,
    SUBGROUP_TILES.large,
    144,
    208,
    96,
    1,
  );
  return difference > 0 && difference < 2 ** -9 * largest;
}

/**
 * Largest difference between products of noise [M, K] x [N, K]^T made by two tiles, `times` over,
 * and the largest value; NaN where one does not compile.
 */
async function compareTiles(
  plain: AnyTile,
  other: AnyTile,
  M: number,
  N: number,
  K: number,
  times: number,
): Promise<[difference: number, largest: number]> {
  const store = (name: string, shape: number[]): Store => new Store(name, [{ name, shape }]);
  const stores = {
    a: store('a', [M, K]),
    b: store('b', [N, K]),
    plain: store('plain', [M, N]),
    other: store('other', [M, N]),
    largest: store('largest', [2]),
  };
  const get = (s: keyof typeof stores) => stores[s].get(s);
  const make = (tile: AnyTile, to: 'plain' | 'other'): void => {
    productKernel(get('a'), get('b'), {
      transpose_b: true,
      to: get(to),
      plan: () => planOf(tile, M, N, K, 1),
    });
  };
  try {
    const program = await compileProgram('comparison of tiles', (): Outputs => {
      fillWithNoise(get('a'), 1);
      fillWithNoise(get('b'), 2);
      make(plain, 'plain');
      fillInPlace(get('largest'), 0);
      for (let i = 0; i < times; i++) {
        fillInPlace(get('other'), NaN);
        make(other, 'other');
        largestDifference(get('largest'), get('other'), get('plain'));
      }
      return {};
    });
    try {
      submit([program]);
      const [pair] = await readback([get('largest')]);
      return [pair?.[0] ?? NaN, pair?.[1] ?? NaN];
    } finally {
      program.dispose();
    }
  } catch {
    return [NaN, NaN];
  } finally {
    for (const s of Object.values(stores)) s.dispose();
  }
}
