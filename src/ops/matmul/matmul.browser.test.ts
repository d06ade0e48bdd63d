import { tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { caseRandom } from '../../testing/random.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { gelu, relu2 } from '../activation/functions.ts';
import type { HostTensor } from '../define.ts';
import { matmulKernel } from './kernel.ts';
import { type MatmulAttrs, matmul } from './matmul.ts';
import { COLUMN_SUMS, type MatmulSize, pickPlan, planOf } from './plan.ts';
import type { Tile } from './tile.ts';
import { ALL_TILES, COMPONENT_TILES, TILES } from './tiles.ts';

const forms: readonly (MatmulAttrs & { name: string })[] = [
  { name: 'x W', transpose_a: false, transpose_b: false },
  { name: 'dy W^T', transpose_a: false, transpose_b: true },
  { name: 'x^T dy', transpose_a: true, transpose_b: false },
];
const errors: string[] = [];
const upload = (host: HostTensor) => tensor(Float32Array.from(host.data), [...host.shape]);
beforeAll(async () => {
  await startBackend('webgpu', { lost: (r) => errors.push(r), error: (m) => errors.push(m) });
});

/**
 * Small tiles, which compile quickly, are tested with every size and both ways to sum columns; the
 * others only with what differs by tile.
 */
const isSmall = (tile: Tile): boolean => tile.BM * tile.BN <= 2048;

interface TileCase extends MatmulSize {
  size: string;
  splits: number;
  epilogue: 'bias' | 'accumulate';
}

/** Widths that are multiples of four and others, K whole and split, edges on all sides. */
const tileCases = (tile: Tile): Record<'four' | 'odd' | 'whole' | 'split', TileCase> => ({
  four: {
    size: 'rows of four',
    M: tile.BM + 4,
    N: tile.BN + 8,
    K: 20,
    splits: 1,
    epilogue: 'bias',
  },
  odd: { size: 'odd, split', M: tile.BM + 3, N: 13, K: 37, splits: 2, epilogue: 'bias' },
  whole: {
    size: 'whole tiles',
    M: tile.BM,
    N: tile.BN,
    K: 2 * tile.BK,
    splits: 1,
    epilogue: 'accumulate',
  },
  split: {
    size: 'rows of four, split',
    M: tile.BM,
    N: tile.BN,
    K: 3 * tile.BK,
    splits: 3,
    epilogue: 'accumulate',
  },
});

/**
 * The sizes with which a form of a tile is tested. Compiling takes most of the time, so large tiles
 * are not tested with every pair of form and size: a form has one size with edges and one without,
 * one of them with K split and one with a bias. Forms and neighbouring tiles alternate between the
 * two choices, so that each tile has every form and size, and each form every size.
 */
function casesOf(tile: Tile, tileIndex: number, formIndex: number): TileCase[] {
  const { four, odd, whole, split } = tileCases(tile);
  if (isSmall(tile)) return [four, odd, whole, split];
  return (tileIndex + formIndex) % 2 === 0 ? [four, split] : [odd, whole];
}

describe.each(ALL_TILES.map((tile, index) => ({ tile, index, name: tile.name })))(
  'tile $name',
  ({ tile, index }) => {
    it.each(
      forms.flatMap((form, formIndex) =>
        casesOf(tile, index, formIndex).map((size) => ({ ...form, ...size })),
      ),
    )('$name, $size', async ({ transpose_a, transpose_b, M, N, K, splits, epilogue }) => {
      const random = caseRandom(M * N + K);
      const attrs = { transpose_a, transpose_b };
      const a = random.normal(transpose_a ? [K, M] : [M, K]);
      const b = random.normal(transpose_b ? [N, K] : [K, N]);
      const bias = random.normal([N]);
      const before = random.normal([M, N]);
      const c = matmulKernel(upload(a), upload(b), {
        ...attrs,
        plan: () => planOf(tile, { M, N, K }, splits),
        bias: epilogue === 'bias' ? upload(bias) : undefined,
        into: epilogue === 'accumulate' ? upload(before) : undefined,
      });
      const expected = matmul
        .oracle({ a, b }, attrs)
        .c.data.map(
          (v, i) => v + ((epilogue === 'bias' ? bias.data[i % N] : before.data[i]) ?? NaN),
        );
      const [actual] = await readback([c]);
      expect(errors).toEqual([]);
      expectClose(actual ?? [], expected, { atol: 1e-5, rtol: 1e-4 });
    });
  },
);

const zeros = (size: number, value = 0) => new Float32Array(size).fill(value);
describe.each(
  [...Object.values(TILES), ...Object.values(COMPONENT_TILES)].flatMap((tile) =>
    COLUMN_SUMS.filter((way) => isSmall(tile) || way === 'staged').map((columnSums) => ({
      tile,
      name: tile.name,
      columnSums,
    })),
  ),
)('epilogues of the tile $name, column sums $columnSums', ({ tile, columnSums }) => {
  it.each(
    [
      { size: 'odd', splits: 1, M: tile.BM + 3, N: tile.BN + 5, K: 2 * tile.BK + 5 },
      { size: 'odd, split', splits: 3, M: tile.BM + 3, N: 13, K: 3 * tile.BK + 2 },
      { size: 'rows of four', splits: 1, M: tile.BM + 4, N: tile.BN + 8, K: 2 * tile.BK },
      { size: 'rows of four, split', splits: 2, M: 8, N: tile.BN + 4, K: 4 * tile.BK },
    ].filter(({ size }) => isSmall(tile) || size === 'odd' || size === 'rows of four, split'),
  )('residual, activation, derivative and column sums: $size', async ({ splits, M, N, K }) => {
    const random = caseRandom(M * N + K);
    const a = random.normal([M, K], 0.3);
    const at = random.normal([K, M]);
    const b = random.normal([K, N]);
    const bias = random.normal([N]);
    const residual = random.normal([M, N]);
    const plan = () => planOf(tile, { M, N, K }, splits, columnSums);
    const activated = tensor(zeros(M * N), [M, N]);
    const columns = tensor(zeros(N, 0.5), [N]);
    const before = matmulKernel(upload(a), upload(b), {
      plan,
      bias: upload(bias),
      residual: upload(residual),
      apply: { f: gelu, to: activated },
    });
    const slope = matmulKernel(upload(at), upload(b), {
      plan,
      transpose_a: true,
      derivative: { f: relu2, before: upload(residual) },
      columns: { to: columns, add: true },
    });
    const u = matmul
      .oracle({ a, b }, { transpose_a: false, transpose_b: false })
      .c.data.map((v, i) => v + (bias.data[i % N] ?? NaN) + (residual.data[i] ?? NaN));
    const product = matmul.oracle({ a: at, b }, { transpose_a: true, transpose_b: false }).c.data;
    const sums = Float64Array.from(
      { length: N },
      (_v, j) => 0.5 + b.data.reduce((s, v, i) => s + (i % N === j ? v : 0), 0),
    );
    const slopes = product.map((v, i) => v * relu2.derivative(residual.data[i] ?? NaN));
    const got = await readback([before, activated, slope, columns]);
    expect(errors).toEqual([]);
    [u, u.map(gelu.value), slopes, sums].forEach((expected, i) => {
      expectClose(got[i] ?? [], expected, { atol: 1e-5, rtol: 1e-4 });
    });
  });
});

describe('few rows', () => {
  it.each(
    ([1, 3, 16] as const).flatMap((M) =>
      (
        [
          [20, 24],
          [13, 37],
          [2052, 64],
          [70, 516],
        ] as const
      ).flatMap(([N, K]) => [false, true].map((transpose_b) => ({ M, N, K, transpose_b }))),
    ),
  )('$M x $N x $K, transposed: $transpose_b', async ({ M, N, K, transpose_b }) => {
    const random = caseRandom(M * N + K);
    const a = random.normal([M, K], 0.3);
    const b = random.normal(transpose_b ? [N, K] : [K, N], 0.3);
    const bias = random.normal([N]);
    const residual = random.normal([M, N]);
    const activated = tensor(zeros(M * N), [M, N]);
    const before = matmulKernel(upload(a), upload(b), {
      transpose_b,
      bias: upload(bias),
      residual: upload(residual),
      apply: { f: gelu, to: activated },
    });
    const added = matmulKernel(upload(a), upload(b), { transpose_b, into: upload(residual) });
    const slope = matmulKernel(upload(a), upload(b), {
      transpose_b,
      derivative: { f: relu2, before: upload(residual) },
    });
    const product = matmul.oracle({ a, b }, { transpose_a: false, transpose_b }).c.data;
    const u = product.map((v, i) => v + (bias.data[i % N] ?? NaN) + (residual.data[i] ?? NaN));
    const got = await readback([before, activated, added, slope]);
    expect(errors).toEqual([]);
    [
      u,
      u.map(gelu.value),
      product.map((v, i) => v + (residual.data[i] ?? NaN)),
      product.map((v, i) => v * relu2.derivative(residual.data[i] ?? NaN)),
    ].forEach((expected, i) => {
      expectClose(got[i] ?? [], expected, { atol: 1e-5, rtol: 1e-4 });
    });
  });
});

describe('pickPlan', () => {
  it.each([
    ['small', 512, 64, 64],
    ['small', 768, 65, 128],
    ['large', 8192, 1536, 384],
    ['large', 384, 1536, 8192],
    ['large', 2048, 10000, 128],
    ['large', 1, 8192, 384],
  ] as const)('covers K on a %s device for %i x %i x %i', (device, M, N, K) => {
    const { tile, splits, k_per_split, workgroups } = pickPlan(device, { M, N, K });
    expect(splits * k_per_split).toBeGreaterThanOrEqual(K);
    expect((splits - 1) * k_per_split).toBeLessThan(K);
    expect(workgroups[0] * tile.BN).toBeGreaterThanOrEqual(N);
    expect(workgroups[1] * tile.BM).toBeGreaterThanOrEqual(M);
  });
});
