/** Plans for matmuls with subgroup matrices, after a search on an H100. */
import {
  cheapestParts,
  groupsOf,
  type MatmulSize,
  MAX_PARTIALS,
  type Plan,
  planOf,
} from './plan.ts';
import type { SubgroupTile } from './tile.ts';
import { SUBGROUP_TILES } from './tiles.ts';

const { large, shared, middle, narrow, small } = SUBGROUP_TILES;

/** Whether the subgroup kernel supports these sizes. */
export const subgroupsFit = ({ M, N, K }: MatmulSize): boolean =>
  M % 16 === 0 && N % 16 === 0 && K % 4 === 0;

/** Workgroups of one wave on an H100. */
const WAVE = 264;

/**
 * The tile for a C that fills the GPU without splitting K. Measured in microseconds on an H100:
 *
 * | M x N x K                                 | narrow | middle | large | shared |
 * | ----------------------------------------- | ------ | ------ | ----- | ------ |
 * | 8192 x 384 x 384, bias and residual       | 18.6   | 19.4   | 21.5  |        |
 * | 8192 x 384 x 1152, B transposed           | 44     | 41     | 46    |        |
 * | 8192 x 8192 x 384                         | 330    |        | 292   |        |
 * | 8192 x 1536 x 384, activation derivative  | 97     | 106    | 85    | 75     |
 */
function tileForLargeC(N: number, activation: boolean): SubgroupTile {
  if (N >= 1536) return activation ? shared : large;
  return N % 96 === 0 ? middle : narrow;
}

/**
 * The plan of a matmul with subgroup matrices. Where C is too small to fill the GPU, parts of K fill
 * waves of 264 workgroups (dW of 384 x 1536 x 8192: 48 workgroups in 7 parts, 64 in 11). Each part
 * costs writing and reading C once more, which at 2.5 TB/s against 120 TFLOP/s is 192 / K of the
 * matmul.
 *
 * `activation`: an activation, or the derivative of one, is applied to the result.
 */
export function pickSubgroupPlan(size: MatmulSize, activation = false): Plan {
  const { M, N, K } = size;
  if (groupsOf(narrow, size) >= WAVE) return planOf(tileForLargeC(N, activation), size, 1);
  const most = Math.min(Math.floor(K / 512), Math.floor(MAX_PARTIALS / (M * N)), 16);
  const partsFor = (tile: SubgroupTile): number =>
    cheapestParts(most, (parts) => {
      const waves = Math.ceil((groupsOf(tile, size) * parts) / WAVE) / parts;
      return waves * (parts > 1 ? 1 + (192 / K) * parts : 1);
    });
  const tile = groupsOf(large, size) * partsFor(large) >= 96 ? large : small;
  return planOf(tile, size, partsFor(tile));
}
