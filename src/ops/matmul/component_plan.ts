/** Plans for a large GPU that passed `testComponentStores`, after a search on an H100. */
import {
  cheapestParts,
  groupsOf,
  type MatmulShape,
  MAX_PARTIALS,
  type Plan,
  planOf,
} from './plan.ts';
import type { Tile } from './tile.ts';
import { COMPONENT_TILES } from './tiles.ts';

const { wide, ahead, large, twofold, tall, middle, square, half, small } = COMPONENT_TILES;

/**
 * Workgroups that run at once on an H100: two or three on each of its 132 multiprocessors,
 * depending on the registers of a thread; one for tiles that take short matmuls.
 */
const WAVE = new Map<Tile, number>([
  [wide, 264],
  [ahead, 264],
  [large, 264],
  [twofold, 264],
  [tall, 396],
  [middle, 264],
  [square, 132],
  [half, 132],
  [small, 264],
]);
const DEFAULT_WAVE = 264;

/** Cost of adding up one more part, as a share of the matmul. */
const PART_COST = 0.004;

/** Share of the values in whole waves of workgroups that C fills. */
const waveUse = (tile: Tile, { M, N, K }: MatmulShape): number =>
  (M * N) /
  (Math.ceil(groupsOf(tile, { M, N, K }) / DEFAULT_WAVE) * DEFAULT_WAVE * tile.BM * tile.BN);

/** The tile for a C that fills the GPU without splitting K. */
function tileForLargeC(shape: MatmulShape): Tile {
  if (shape.columns && shape.K >= 2048) return tall;
  if (shape.transpose_b)
    return waveUse(twofold, shape) > 0.98 * waveUse(wide, shape) ? twofold : wide;
  return waveUse(large, shape) > 1.02 * waveUse(wide, shape) ? large : wide;
}

function chooseTile(shape: MatmulShape): Tile {
  const { M, N, K, columns } = shape;
  if (M <= 32 || N <= 32) return small;
  if (groupsOf(wide, shape) >= 132) return tileForLargeC(shape);
  if ((K >= 2048 && M * N >= 2 ** 17) || (K >= 512 && M * N >= 2 ** 19))
    return columns ? tall : wide;
  if (K >= 512) return groupsOf(square, shape) >= 8 ? square : half;
  if (groupsOf(middle, shape) >= 96) return middle;
  return groupsOf(square, shape) >= 128 ? square : small;
}

/**
 * The plan of a matmul on such a GPU. Workgroups run in waves, so the time of p parts is
 * proportional to ceil(groups p / wave) / p: on the H100, dW of 384 x 1536 x 8192 took 313 us in 8
 * parts of `wide` (1.5 waves) and 237 us in 11 parts (2 waves).
 *
 * `float16`: an operand is stored as float16.
 */
export function pickComponentPlan(shape: MatmulShape, float16 = false): Plan {
  const { M, N, K, transpose_a, transpose_b } = shape;
  const chosen = chooseTile(shape);
  const tile = chosen === wide && float16 && !transpose_a && !transpose_b ? ahead : chosen;
  const wave = WAVE.get(tile) ?? DEFAULT_WAVE;
  const groups = groupsOf(tile, shape);
  const most = Math.min(
    Math.floor(K / (tile.BM * tile.BN > 4096 ? 256 : 128)),
    Math.floor(MAX_PARTIALS / (M * N)),
    64,
  );
  const parts = cheapestParts(
    most,
    (p) => (Math.ceil((groups * p) / wave) / p) * (1 + PART_COST * p),
  );
  return planOf(tile, shape, parts, chosen === wide ? 'separate' : 'staged');
}
