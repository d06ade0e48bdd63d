/** Which tile a matrix product is cut into, and over how many parts of K it is split. */

/**
 * A workgroup makes BM x BN of C, a thread TM x TN of that, BK values of K at a time. `unroll`: steps of k written out one
 * after another (a divisor of BK). `read_ahead`: the operands of the next of these are read before the multiplications of this one.
 */
export interface Tile {
  name: string;
  BM: number;
  BN: number;
  BK: number;
  TM: number;
  TN: number;
  unroll: number;
  read_ahead: boolean;
  /**
   * How an operand whose memory is contiguous in k reaches shared memory: `blocks` of 4 x 4 values that a thread transposes in
   * registers and stores as whole vec4; or `components`, a thread's four values stored one by one into four vec4 that it
   * shares with three other threads. The second is faster on one card (H100), and wrong where a compiler
   * writes the whole vec4 for a component: only for a device that passed the test of it.
   */
  staging: 'blocks' | 'components';
  /** Threads along n of every 32 neighbours, the rest along m; the whole row of threads where left out. */
  lanes?: number;
}

/**
 * `wide` was the best of 746 configurations on a large discrete card (H100, Chromium 156, Vulkan: 41-46 TFLOP/s on large
 * shapes); `square` is better there where M N is small; `small` gives short products enough workgroups (its
 * source is short too: software adapters compile slowly). All fit 16 KB of
 * shared memory and 256 threads, which WebGPU promises.
 */
export const TILES = {
  wide: { name: 'wide', BM: 96, BN: 128, BK: 16, TM: 12, TN: 8, unroll: 16, read_ahead: true, staging: 'blocks' },
  square: { name: 'square', BM: 64, BN: 64, BK: 16, TM: 4, TN: 4, unroll: 16, read_ahead: false, staging: 'blocks' },
  small: { name: 'small', BM: 32, BN: 32, BK: 16, TM: 4, TN: 4, unroll: 4, read_ahead: false, staging: 'blocks' },
} as const satisfies Record<string, Tile>;

/** A workgroup makes BM x BN by subgroup matrices (`subgroup.ts`), each subgroup of 32 threads WM x WN of it, BK values of K at a time. */
export interface SubgroupTile { name: string; BM: number; BN: number; BK: number; WM: number; WN: number }
export type AnyTile = Tile | SubgroupTile;
export const bySubgroups = (t: AnyTile): t is SubgroupTile => 'WM' in t;

/** Threads of a workgroup of this tile. */
export const threadsOf = (t: AnyTile): number => (bySubgroups(t) ? 32 * (t.BM / t.WM) * (t.BN / t.WN) : (t.BM / t.TM) * (t.BN / t.TN));

/** What a device can do: the class decides the tile and how many workgroups it takes to fill it. */
export type DeviceClass = 'large' | 'small';

/**
 * How the sums of B's columns are made: each thread adds up the vec4 that it `staged` (four registers in the loop); or one column
 * of the tile that is in `shared` memory (one register, and BK reads); or by kernels of their own, `separate`.
 */
export type ColumnSums = 'staged' | 'shared' | 'separate';

export interface Plan { tile: AnyTile; splits: number; k_per_split: number; workgroups: [number, number, number]; columns: ColumnSums }

/** Workgroups in flight that keep a device busy: about three a multiprocessor on the large card. */
const SLOTS: Record<DeviceClass, number> = { large: 396, small: 64 };
/** Splitting pays from about this much of K a part. */
const K_PER_SPLIT: Record<string, number> = { wide: 256, square: 128, small: 64 };
/** Partial results of a split product hold at most this many values. */
const PARTIALS = 2 ** 24;

function chooseTile(device: DeviceClass, M: number, N: number, K: number): Tile {
  const groups = (t: Tile): number => Math.ceil(M / t.BM) * Math.ceil(N / t.BN);
  if (M <= 32 || N <= 32 || groups(TILES.square) < SLOTS[device] / 24) return TILES.small;
  if (device === 'small') return TILES.square;
  return M * N <= 2 ** 20 && K <= 512 ? TILES.square : TILES.wide;
}

/** The tile and the split for C [M, N] = sum over K. Parts of K are multiples of BK, so that only the last has an edge. */
export function pickTile(device: DeviceClass, M: number, N: number, K: number, tile: Tile = chooseTile(device, M, N, K)): Plan {
  const x = Math.ceil(N / tile.BN), y = Math.ceil(M / tile.BM), slots = SLOTS[device];
  const most = Math.min(Math.floor(slots / (x * y)), Math.floor(K / (K_PER_SPLIT[tile.name] ?? 256)), Math.floor(PARTIALS / (M * N)));
  return planOf(tile, M, N, K, x * y >= slots / 3 ? 1 : Math.max(1, most));
}

/** The plan of a tile with K in about `parts` parts. */
export function planOf(tile: AnyTile, M: number, N: number, K: number, parts: number, columns: ColumnSums = 'staged'): Plan {
  const k_per_split = Math.ceil(K / parts / tile.BK) * tile.BK, splits = Math.ceil(K / k_per_split);
  return { tile, splits, k_per_split, workgroups: [Math.ceil(N / tile.BN), Math.ceil(M / tile.BM), splits], columns: bySubgroups(tile) ? 'separate' : columns };
}
