/** Which tile a matrix product is cut into, and over how many parts of K it is split. */

/**
 * A workgroup makes BM x BN of C, a thread TM x TN of that, BK values of K at a time. `unroll`:
 * steps of k written out one after another (a divisor of BK). `read_ahead`: the operands of the
 * next of these are read before the multiplications of this one.
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
   * How an operand whose memory is contiguous in k reaches shared memory: `blocks` of 4 x 4 values
   * that a thread transposes in registers and stores as whole vec4; or `components`, a thread's
   * four values stored one by one into four vec4 that it shares with three other threads. The
   * second is faster on one card (H100), and wrong where a compiler writes the whole vec4 for a
   * component: only for a device that passed the test of it (`self_test.ts`).
   */
  staging: 'blocks' | 'components';
  /**
   * Threads along n of every 32 neighbours, the rest along m; the whole row of threads where left
   * out.
   */
  lanes?: number;
  /** Tiles in shared memory: one, unless it says two. */
  buffers?: 2;
}

const tile = (
  name: string,
  BM: number,
  BN: number,
  TM: number,
  TN: number,
  more: Partial<Tile> = {},
): Tile => ({
  name,
  BM,
  BN,
  BK: 16,
  TM,
  TN,
  unroll: 16,
  read_ahead: false,
  staging: 'blocks',
  ...more,
});

/**
 * `wide` was the best of 746 configurations on a large discrete card (H100, Chromium 156, Vulkan:
 * 41-46 TFLOP/s on large shapes); `square` is better there where M N is small; `small` gives short
 * products enough workgroups (its source is short too: software adapters compile slowly). These
 * tiles fit 16 KB of shared memory and 256 threads, which WebGPU promises.
 */
export const TILES = {
  wide: tile('wide', 96, 128, 12, 8, { read_ahead: true }),
  square: tile('square', 64, 64, 4, 4),
  small: tile('small', 32, 32, 4, 4, { unroll: 4 }),
} satisfies Record<string, Tile>;

/**
 * The best on an H100 of 45 tiles over the products of T, S and M (`bench` `--search`), for devices
 * that passed the test of component stores.
 */
export const TESTED_TILES = {
  wide: tile('wide by components', 96, 128, 12, 8, { lanes: 8, staging: 'components' }),
  /**
   * For A B with A in halves: 8192 x 384 x 1536 takes 211 us so and 235 in `wide`; in float32
   * reading ahead costs 1 to 10 per cent.
   */
  ahead: tile('wide ahead by components', 96, 128, 12, 8, {
    read_ahead: true,
    lanes: 8,
    staging: 'components',
  }),
  /** Takes 17 KB of shared memory, which a device of the class `large` has. */
  large: tile('large square by components', 128, 128, 8, 8, { lanes: 8, staging: 'components' }),
  /**
   * For A B^T, of which both operands are transposed on their way. Two buffers of 8 steps; 17 KB
   * too.
   */
  twofold: tile('twofold by components', 128, 128, 8, 8, {
    BK: 8,
    unroll: 8,
    lanes: 8,
    buffers: 2,
    staging: 'components',
  }),
  /** Small enough in registers to add up columns beside the product. */
  tall: tile('tall by components', 128, 64, 8, 8, {
    read_ahead: true,
    lanes: 8,
    staging: 'components',
  }),
  middle: tile('middle by components', 96, 64, 12, 4, {
    read_ahead: true,
    lanes: 8,
    staging: 'components',
  }),
  square: tile('square by components', 64, 64, 8, 4, {
    read_ahead: true,
    lanes: 8,
    staging: 'components',
  }),
  half: tile('half by components', 32, 64, 4, 4, { lanes: 8, staging: 'components' }),
  small: tile('small by components', 32, 32, 4, 4, { staging: 'components' }),
} satisfies Record<string, Tile>;

/** Tiles that the tuner may choose beside those. */
export const MORE_TILES: readonly Tile[] = [
  tile('flat', 64, 128, 8, 8, { read_ahead: true, lanes: 8 }),
  // Fewer registers, less shared memory: for integrated and phone GPUs.
  tile('square of 8x4', 64, 64, 8, 4, { lanes: 8 }),
  tile('half', 32, 64, 4, 4, { unroll: 4 }),
  tile('small written out', 32, 32, 4, 4),
  tile('square of 8', 64, 64, 4, 4, { BK: 8, unroll: 8 }),
  tile('small of 8', 32, 32, 4, 4, { BK: 8, unroll: 4 }),
];

/** Every tile that can be chosen. */
export const ALL_TILES: readonly Tile[] = [
  ...Object.values(TILES),
  ...Object.values(TESTED_TILES),
  ...MORE_TILES,
];

/**
 * A workgroup makes BM x BN by subgroup matrices (`subgroup.ts`), each subgroup of 32 threads WM x
 * WN of it, BK values of K at a time.
 */
export interface SubgroupTile {
  name: string;
  BM: number;
  BN: number;
  BK: number;
  WM: number;
  WN: number;
}
export type AnyTile = Tile | SubgroupTile;
export const bySubgroups = (t: AnyTile): t is SubgroupTile => 'WM' in t;

/** Whether a product of these sizes can be made so. */
export const subgroupsFit = (M: number, N: number, K: number): boolean =>
  M % 16 === 0 && N % 16 === 0 && K % 4 === 0;

export const SUBGROUP_TILES = {
  large: { name: 'subgroups', BM: 128, BN: 128, BK: 32, WM: 64, WN: 64 },
  /** Twice the threads, and so half of what each finishes. */
  shared: { name: 'subgroups of 64x32', BM: 128, BN: 128, BK: 32, WM: 64, WN: 32 },
  middle: { name: 'subgroups of 64x48', BM: 128, BN: 96, BK: 32, WM: 64, WN: 48 },
  narrow: { name: 'narrow subgroups', BM: 128, BN: 64, BK: 32, WM: 64, WN: 32 },
  small: { name: 'small subgroups', BM: 64, BN: 64, BK: 32, WM: 32, WN: 32 },
} satisfies Record<string, SubgroupTile>;

const NAMED: ReadonlyMap<string, Tile> = new Map(ALL_TILES.map((t) => [t.name, t]));
export const tileNamed = (name: string): Tile | undefined => NAMED.get(name);

/** Threads of a workgroup of this tile. */
export const threadsOf = (t: AnyTile): number =>
  bySubgroups(t) ? 32 * (t.BM / t.WM) * (t.BN / t.WN) : (t.BM / t.TM) * (t.BN / t.TN);

/** What a device can do: the class decides the tile and how many workgroups it takes to fill it. */
export type DeviceClass = 'large' | 'small';

/**
 * How the sums of B's columns are made: each thread adds up the vec4 that it `staged`, which takes
 * four registers more; or by kernels of their own, `separate`.
 */
export const COLUMN_SUMS = ['staged', 'separate'] as const;
export type ColumnSums = (typeof COLUMN_SUMS)[number];

/**
 * A product as the tuner knows it: its sizes, which operands are transposed, whether sums of B's
 * columns are made beside it.
 */
export interface Wanted {
  transpose_a: boolean;
  transpose_b: boolean;
  M: number;
  N: number;
  K: number;
  columns: boolean;
}

export interface Plan {
  tile: AnyTile;
  splits: number;
  k_per_split: number;
  workgroups: [number, number, number];
  columns: ColumnSums;
}

/** Workgroups in flight that keep a device busy: about three a multiprocessor on the large card. */
const SLOTS: Record<DeviceClass, number> = { large: 396, small: 64 };
/** Partial results of a split product hold at most this many values. */
const PARTIALS = 2 ** 24;

/** Splitting pays from about this much of K a part. */
const leastOfK = (t: AnyTile): number => (t.BM * t.BN > 4096 ? 256 : t.BM * t.BN > 2048 ? 128 : 64);

function chooseTile(device: DeviceClass, M: number, N: number, K: number): Tile {
  const groups = (t: Tile): number => Math.ceil(M / t.BM) * Math.ceil(N / t.BN);
  if (M <= 32 || N <= 32 || groups(TILES.square) < SLOTS[device] / 24) return TILES.small;
  if (device === 'small') return TILES.square;
  return M * N <= 2 ** 20 && K <= 512 ? TILES.square : TILES.wide;
}

/**
 * The tile and the split for C [M, N] = sum over K. Parts of K are multiples of BK, so that only
 * the last has an edge.
 */
export function pickTile(
  device: DeviceClass,
  M: number,
  N: number,
  K: number,
  tile: AnyTile = chooseTile(device, M, N, K),
): Plan {
  const groups = Math.ceil(N / tile.BN) * Math.ceil(M / tile.BM);
  const slots = SLOTS[device];
  const most = Math.min(
    Math.floor(slots / groups),
    Math.floor(K / leastOfK(tile)),
    Math.floor(PARTIALS / (M * N)),
  );
  // Four registers more cost the wide tile 89 us in dW of 384 x 1536 x 8192 on an H100, kernels of
  // their own 29.
  return planOf(
    tile,
    M,
    N,
    K,
    groups >= slots / 3 ? 1 : Math.max(1, most),
    tile.BM * tile.BN > 4096 ? 'separate' : 'staged',
  );
}

/**
 * The same by subgroup matrices, after a search on an H100 (microseconds). Where tiles of 128 x 64
 * fill the card, K stays whole: 8192 x 384 x 384 takes 18.6 with bias and residual in `narrow`,
 * 19.4 in `middle`, 21.5 in `large`; x 1152, transposed, 44, 41, 46; 8192 x 8192 x 384 330, -, 292;
 * with an activation's derivative 8192 x 1536 x 384 97, 106, 85, and 75 in `shared`. Elsewhere
 * parts of K fill waves of 264 workgroups (dW of 384 x 1536 x 8192: 48 in 7 parts, 64 in 11) and
 * cost the writing and reading of C, which at 2.5 TB/s against 120 TFLOP/s is 192 / K of the
 * product a part.
 */
export function pickSubgroupTile(M: number, N: number, K: number, activation = false): Plan {
  const groups = (t: SubgroupTile): number => Math.ceil(M / t.BM) * Math.ceil(N / t.BN);
  const { large, shared, middle, narrow, small } = SUBGROUP_TILES;
  if (groups(narrow) >= 264)
    return planOf(
      N >= 1536 ? (activation ? shared : large) : N % 96 === 0 ? middle : narrow,
      M,
      N,
      K,
      1,
    );
  const most = Math.max(1, Math.min(Math.floor(K / 512), Math.floor(PARTIALS / (M * N)), 16));
  const cost = (t: SubgroupTile, parts: number): number =>
    (Math.ceil((groups(t) * parts) / 264) / parts) * (parts > 1 ? 1 + (192 / K) * parts : 1);
  const best = (t: SubgroupTile): number =>
    Array.from({ length: most }, (_, i) => i + 1).reduce(
      (a, parts) => (cost(t, parts) < cost(t, a) ? parts : a),
      1,
    );
  const tile = groups(large) * best(large) >= 96 ? large : small;
  return planOf(tile, M, N, K, best(tile));
}

/**
 * Workgroups that run at once on a large card: two or three on each of 132 multiprocessors, by the
 * registers of a thread; of short products one.
 */
const AT_ONCE = new Map<Tile, number>([
  [TESTED_TILES.wide, 264],
  [TESTED_TILES.ahead, 264],
  [TESTED_TILES.large, 264],
  [TESTED_TILES.twofold, 264],
  [TESTED_TILES.tall, 396],
  [TESTED_TILES.middle, 264],
  [TESTED_TILES.square, 132],
  [TESTED_TILES.half, 132],
  [TESTED_TILES.small, 264],
]);
/** What adding up one more part costs, as a share of the product. */
const PART_COST = 0.004;

/**
 * The same for a large card that passed the test of component stores. Workgroups run in waves, so
 * the time of p parts goes with ceil(groups p / at once) / p: on the H100 dW of 384 x 1536 x 8192
 * took 313 us with 8 parts of `wide` (1.5 waves) and 237 with 11 (two).
 */
export function pickTestedTile(
  { M, N, K, columns, transpose_a, transpose_b }: Wanted,
  in_halves = false,
): Plan {
  const groups = (t: Tile): number => Math.ceil(M / t.BM) * Math.ceil(N / t.BN);
  const { wide, ahead, large, twofold, tall, middle, square, half, small } = TESTED_TILES;
  // The share of whole waves that C fills.
  const used = (t: Tile): number => (M * N) / (Math.ceil(groups(t) / 264) * 264 * t.BM * t.BN);
  const choose = (): Tile => {
    if (M <= 32 || N <= 32) return small;
    if (groups(wide) >= 132) {
      if (columns && K >= 2048) return tall;
      if (transpose_b) return used(twofold) > 0.98 * used(wide) ? twofold : wide;
      return used(large) > 1.02 * used(wide) ? large : wide;
    }
    if ((K >= 2048 && M * N >= 2 ** 17) || (K >= 512 && M * N >= 2 ** 19))
      return columns ? tall : wide;
    if (K >= 512) return groups(square) >= 8 ? square : half;
    return groups(middle) >= 96 ? middle : groups(square) >= 128 ? square : small;
  };
  const chosen = choose();
  const t = chosen === wide && in_halves && !transpose_a && !transpose_b ? ahead : chosen;
  const at_once = AT_ONCE.get(t) ?? 264;
  const most = Math.max(
    1,
    Math.min(Math.floor(K / (t.BM * t.BN > 4096 ? 256 : 128)), Math.floor(PARTIALS / (M * N)), 64),
  );
  const cost = (parts: number): number =>
    (Math.ceil((groups(t) * parts) / at_once) / parts) * (1 + PART_COST * parts);
  const parts = Array.from({ length: most }, (_, i) => i + 1).reduce(
    (best, p) => (cost(p) < cost(best) ? p : best),
    1,
  );
  return planOf(t, M, N, K, parts, chosen === wide ? 'separate' : 'staged');
}

/** The plan of a tile with K in about `parts` parts. */
export function planOf(
  tile: AnyTile,
  M: number,
  N: number,
  K: number,
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
    columns: bySubgroups(tile) ? 'separate' : columns,
  };
}
