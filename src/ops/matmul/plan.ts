/** Plans: which tile a matrix product uses and into how many parts its K is split. */
import { type AnyTile, isSubgroupTile } from './tile.ts';
import { TILES } from './tiles.ts';

/** C [M, N] is a sum over K. */
export interface MatmulSize {
  M: number;
  N: number;
  K: number;
}

/** What a plan depends on besides the device. */
export interface MatmulShape extends MatmulSize {
  transpose_a: boolean;
  transpose_b: boolean;
  /** Whether the columns of B are summed as well. */
  columns: boolean;
}

/** `large` is a discrete GPU of a known vendor, `small` any other (see `deviceClass`). */
export type DeviceClass = 'large' | 'small';

/**
 * How the columns of B are summed. `staged`: each thread adds up the vec4 that it stages, which
 * takes four more registers. `separate`: by kernels of their own.
 */
export const COLUMN_SUMS = ['staged', 'separate'] as const;
export type ColumnSums = (typeof COLUMN_SUMS)[number];

/** How one matmul is computed. The plan determines the order in which values are added. */
export interface Plan {
  tile: AnyTile;
  /** Number of parts of K, each computed by its own workgroups and added up afterwards. */
  splits: number;
  /** Values of K in a part; a multiple of BK, so that only the last part has an edge. */
  k_per_split: number;
  workgroups: [number, number, number];
  columns: ColumnSums;
}

/** The plan that uses this tile and splits K into about `parts` parts. */
export function planOf(
  tile: AnyTile,
  { M, N, K }: MatmulSize,
  parts: number,
  columns: ColumnSums = 'staged',
): Plan {
  const k_per_split = Math.ceil(K / parts / tile.BK) * tile.BK;
  const splits = Math.ceil(K / k_per_split);
  return {
    tile,
    splits,
    k_per_split,
    workgroups: [Math.ceil(N / tile.BN), Math.ceil(M / tile.BM), splits],
    columns: isSubgroupTile(tile) ? 'separate' : columns,
  };
}

/** The partial results of a split matmul hold at most this many values. */
export const MAX_PARTIALS = 2 ** 24;

/** Workgroups that cover C [M, N] without splitting K. */
export const groupsOf = (tile: AnyTile, { M, N }: MatmulSize): number =>
  Math.ceil(M / tile.BM) * Math.ceil(N / tile.BN);

/** The number of parts from 1 to `most` with the lowest cost; the smallest of equal ones. */
export function cheapestParts(most: number, cost: (parts: number) => number): number {
  let best = 1;
  for (let parts = 2; parts <= most; parts++) if (cost(parts) < cost(best)) best = parts;
  return best;
}

/** Workgroups in flight that keep a device busy: about three a multiprocessor on an H100. */
const SLOTS: Record<DeviceClass, number> = { large: 396, small: 64 };

function defaultTile(device: DeviceClass, size: MatmulSize): AnyTile {
  const { M, N, K } = size;
  if (M <= 32 || N <= 32 || groupsOf(TILES.square, size) < SLOTS[device] / 24) return TILES.small;
  if (device === 'small') return TILES.square;
  return M * N <= 2 ** 20 && K <= 512 ? TILES.square : TILES.wide;
}

/** The smallest part of K for which splitting pays off. */
function minK({ BM, BN }: AnyTile): number {
  if (BM * BN > 4096) return 256;
  return BM * BN > 2048 ? 128 : 64;
}

/** The plan of a matmul on a device of which nothing is known but its class. */
export function pickPlan(
  device: DeviceClass,
  size: MatmulSize,
  tile: AnyTile = defaultTile(device, size),
): Plan {
  const slots = SLOTS[device];
  const groups = groupsOf(tile, size);
  const most = Math.min(
    Math.floor(slots / groups),
    Math.floor(size.K / minK(tile)),
    Math.floor(MAX_PARTIALS / (size.M * size.N)),
  );
  const parts = groups >= slots / 3 ? 1 : Math.max(1, most);
  // On an H100, four more registers cost the wide tile 89 us in dW of 384 x 1536 x 8192, and
  // separate kernels 29 us.
  return planOf(tile, size, parts, tile.BM * tile.BN > 4096 ? 'separate' : 'staged');
}
