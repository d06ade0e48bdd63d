/**
 * Tests that a device must pass before kernels that rely on a feature are used: stores to single
 * components of a shared vec4, and subgroup matrices.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
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
import { matmulKernel } from './kernel.ts';
import { type MatmulSize, planOf } from './plan.ts';
import type { AnyTile, Tile } from './tile.ts';
import { SUBGROUP_TILES, TILES } from './tiles.ts';

/**
 * Sets what matmuls (and attention) are planned by, after testing the device for the features that
 * would be used. Requires WebGPU. Subgroup matrices are used if they are requested, offered by the
 * device and correct.
 */
export async function prepareMatmuls(
  choices: Choices = {},
  subgroup_matrices = false,
): Promise<{ subgroup_matrices: boolean }> {
  const offered = subgroup_matrices && subgroupMatricesOffered();
  const component_stores = deviceClass() === 'large' && (await testComponentStores());
  const correct = offered && (await testSubgroupMatrices());
  setChoices(choices, {
    component_stores,
    subgroup_matrices: correct,
    subgroup_attention: correct && (await testSubgroupAttention()),
  });
  return { subgroup_matrices: correct };
}

/**
 * Computes a matmul of several hundred workgroups staged by blocks and by components. Both add in
 * the same order, so the results are equal to the bit unless threads overwrote each other's stores.
 * False also if a kernel does not compile.
 */
export async function testComponentStores(size = 512): Promise<boolean> {
  const staged = (staging: Tile['staging']): Tile => ({ ...TILES.small, staging });
  const tiles = { expected: staged('blocks'), tested: staged('components') };
  const [difference, largest] = await compareTiles(tiles, { M: size, N: size, K: 64 }, 3);
  return difference === 0 && largest > 1;
}

/**
 * Compares a matmul with subgroup matrices to the simplest kernel: operands are rounded to 11 bits,
 * so values differ by about 2^-10 of the largest.
 */
async function testSubgroupMatrices(): Promise<boolean> {
  const tiles = { expected: TILES.small, tested: SUBGROUP_TILES.large };
  const [difference, largest] = await compareTiles(tiles, { M: 144, N: 208, K: 96 }, 1);
  return difference > 0 && difference < 2 ** -9 * largest;
}

/**
 * The largest difference between matmuls of noise, [M, K] x [N, K]^T, by two tiles, over `times`
 * repetitions, and the largest value. NaN if a kernel does not compile.
 */
async function compareTiles(
  tiles: { expected: AnyTile; tested: AnyTile },
  size: MatmulSize,
  times: number,
): Promise<[difference: number, largest: number]> {
  const { M, N, K } = size;
  const store = (name: string, shape: number[]): Store => new Store(name, [{ name, shape }]);
  const stores = {
    a: store('a', [M, K]),
    b: store('b', [N, K]),
    expected: store('expected', [M, N]),
    tested: store('tested', [M, N]),
    largest: store('largest', [2]),
  };
  const get = (name: keyof typeof stores): Tensor => stores[name].get(name);
  const multiply = (which: 'expected' | 'tested'): void => {
    matmulKernel(get('a'), get('b'), {
      transpose_b: true,
      to: get(which),
      plan: () => planOf(tiles[which], size, 1),
    });
  };
  const body = (): Outputs => {
    fillWithNoise(get('a'), 1);
    fillWithNoise(get('b'), 2);
    multiply('expected');
    fillInPlace(get('largest'), 0);
    for (let i = 0; i < times; i++) {
      fillInPlace(get('tested'), NaN);
      multiply('tested');
      largestDifference(get('largest'), get('tested'), get('expected'));
    }
    return {};
  };
  try {
    const program = await compileProgram('comparison of tiles', body);
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
    for (const each of Object.values(stores)) each.dispose();
  }
}
