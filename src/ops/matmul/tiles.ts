/**
 * The tiles that a plan can name. Their names are stored in the browser with what the tuner found,
 * so a name must not be reused for another tile.
 */
import type { SubgroupTile, Tile } from './tile.ts';

type TileOptions = Partial<Omit<Tile, 'name' | 'BM' | 'BN' | 'TM' | 'TN'>>;

function tile(
  name: string,
  [BM, BN]: readonly [number, number],
  [TM, TN]: readonly [number, number],
  options: TileOptions = {},
): Tile {
  return {
    name,
    BM,
    BN,
    BK: 16,
    TM,
    TN,
    unroll: 16,
    read_ahead: false,
    staging: 'blocks',
    ...options,
  };
}

const componentTile = (
  name: string,
  block: readonly [number, number],
  thread: readonly [number, number],
  options: TileOptions = {},
): Tile => tile(name, block, thread, { lanes: 8, staging: 'components', ...options });

/**
 * Tiles for every device: they fit the 16 KB of shared memory and the 256 threads that WebGPU
 * guarantees.
 *
 * - `wide`: the best of 746 configurations for large shapes on an H100 (Chromium 156, Vulkan: 41 to
 *   46 TFLOP/s).
 * - `square`: faster there where M N is small.
 * - `small`: gives small matmuls enough workgroups. Its source is short, so software adapters compile
 *   it quickly.
 */
export const TILES = {
  wide: tile('wide', [96, 128], [12, 8], { read_ahead: true }),
  square: tile('square', [64, 64], [4, 4]),
  small: tile('small', [32, 32], [4, 4], { unroll: 4 }),
} satisfies Record<string, Tile>;

/**
 * Tiles for devices that passed `testComponentStores`: the best of 45 on an H100 over the matmuls of
 * the bench configurations T, S and M (`bench --search`).
 */
export const COMPONENT_TILES = {
  wide: componentTile('wide by components', [96, 128], [12, 8]),
  /**
   * For A B with A in float16: 8192 x 384 x 1536 takes 211 us, and 235 us with `wide`. In float32,
   * reading ahead costs 1 to 10 percent.
   */
  ahead: componentTile('wide ahead by components', [96, 128], [12, 8], { read_ahead: true }),
  /** Needs 17 KB of shared memory, which devices of the class `large` have. */
  large: componentTile('large square by components', [128, 128], [8, 8]),
  /** For A B^T, which transposes both operands while staging. Needs 17 KB as well. */
  twofold: componentTile('twofold by components', [128, 128], [8, 8], {
    BK: 8,
    unroll: 8,
    buffers: 2,
  }),
  /** Uses few enough registers to sum columns beside the matmul. */
  tall: componentTile('tall by components', [128, 64], [8, 8], { read_ahead: true }),
  middle: componentTile('middle by components', [96, 64], [12, 4], { read_ahead: true }),
  square: componentTile('square by components', [64, 64], [8, 4], { read_ahead: true }),
  half: componentTile('half by components', [32, 64], [4, 4]),
  small: tile('small by components', [32, 32], [4, 4], { staging: 'components' }),
} satisfies Record<string, Tile>;

/** Further tiles that the tuner tries. */
const EXTRA_TILES: readonly Tile[] = [
  tile('flat', [64, 128], [8, 8], { read_ahead: true, lanes: 8 }),
  // Fewer registers and less shared memory, for integrated and phone GPUs.
  tile('square of 8x4', [64, 64], [8, 4], { lanes: 8 }),
  tile('half', [32, 64], [4, 4], { unroll: 4 }),
  tile('small written out', [32, 32], [4, 4]),
  tile('square of 8', [64, 64], [4, 4], { BK: 8, unroll: 8 }),
  tile('small of 8', [32, 32], [4, 4], { BK: 8, unroll: 4 }),
];

/** Every tile that a stored choice can name. Excludes the subgroup tiles, which are not tuned. */
export const ALL_TILES: readonly Tile[] = [
  ...Object.values(TILES),
  ...Object.values(COMPONENT_TILES),
  ...EXTRA_TILES,
];

export const SUBGROUP_TILES = {
  large: { name: 'subgroups', BM: 128, BN: 128, BK: 32, WM: 64, WN: 64 },
  /** Twice the threads of `large`, so each finishes half as many values. */
  shared: { name: 'subgroups of 64x32', BM: 128, BN: 128, BK: 32, WM: 64, WN: 32 },
  middle: { name: 'subgroups of 64x48', BM: 128, BN: 96, BK: 32, WM: 64, WN: 48 },
  narrow: { name: 'narrow subgroups', BM: 128, BN: 64, BK: 32, WM: 64, WN: 32 },
  small: { name: 'small subgroups', BM: 64, BN: 64, BK: 32, WM: 32, WN: 32 },
} satisfies Record<string, SubgroupTile>;

const TILE_BY_NAME: ReadonlyMap<string, Tile> = new Map(ALL_TILES.map((t) => [t.name, t]));

export const tileNamed = (name: string): Tile | undefined => TILE_BY_NAME.get(name);
