/** Which tile a matrix product is cut into, and over how many parts of K it is split. */

/**
 * A workgroup makes BM x BN of C, a thread TM x TN of that, BK values of K at a time. `unroll`: steps of k written out one
 * after another (a divisor of BK). `read_ahead`: the operands of the next of these are read before the multiplications of this one.
 */
export interface Tile { name: string; BM: number; BN: number; BK: number; TM: number; TN: number; unroll: number; read_ahead: boolean }

/**
 * `wide` was the best of 746 configurations on a large discrete card (H100, Chromium 156, Vulkan: 41-46 TFLOP/s on large
 * shapes); `square` is better there where M N is small; `small` gives short products enough workgroups (its
 * source is short too: software adapters compile slowly). All fit 16 KB of
 * shared memory and 256 threads, which WebGPU promises.
 */
export const TILES = {
  wide: { name: 'wide', BM: 96, BN: 128, BK: 16, TM: 12, TN: 8, unroll: 16, read_ahead: true },
  square: { name: 'square', BM: 64, BN: 64, BK: 16, TM: 4, TN: 4, unroll: 16, read_ahead: false },
  small: { name: 'small', BM: 32, BN: 32, BK: 16, TM: 4, TN: 4, unroll: 4, read_ahead: false },
} as const satisfies Record<string, Tile>;

/** Threads of a workgroup of this tile. */
export const threadsOf = (t: Tile): number => (t.BM / t.TM) * (t.BN / t.TN);

/** What a device can do: the class decides the tile and how many workgroups it takes to fill it. */
export type DeviceClass = 'large' | 'small';

export interface Plan { tile: Tile; splits: number; k_per_split: number; workgroups: [number, number, number] }

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
  const wanted = x * y >= slots / 3 ? 1 : Math.max(1, most);
  const k_per_split = Math.ceil(K / wanted / tile.BK) * tile.BK, splits = Math.ceil(K / k_per_split);
  return { tile, splits, k_per_split, workgroups: [x, y, splits] };
}
