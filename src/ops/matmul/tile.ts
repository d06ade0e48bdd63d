/** Tiles: how one workgroup and one thread of a matrix product divide the work. */

/**
 * A tile of a register-blocked matmul. A workgroup computes BM x BN values of C, stepping over K by
 * BK; each thread computes TM x TN of them. The kernel's source is generated from this record
 * (`generate.ts`).
 */
export interface Tile {
  name: string;
  BM: number;
  BN: number;
  BK: number;
  TM: number;
  TN: number;
  /** Steps of k that are unrolled; a divisor of BK. */
  unroll: number;
  /** Reads the operands of the next unrolled step before the multiplications of the current one. */
  read_ahead: boolean;
  /**
   * How an operand that is contiguous in k reaches shared memory, where it must be transposed.
   *
   * - `blocks`: a thread reads 4 x 4 values, transposes them in registers and stores whole vec4.
   * - `components`: a thread stores its four values one by one, each as one component of a vec4 that
   *   it shares with three other threads. Faster on an H100, but wrong where a compiler writes the
   *   whole vec4 for a component, so only for devices that passed `testComponentStores`.
   */
  staging: 'blocks' | 'components';
  /**
   * Of every 32 consecutive threads, the number along n; the others lie along m. By default, a
   * whole row of threads.
   */
  lanes?: number;
  /** Number of tiles in shared memory; 1 by default. */
  buffers?: 2;
}

/**
 * A tile computed with subgroup matrices (`subgroup.ts`): a workgroup computes BM x BN values of C,
 * stepping over K by BK; each subgroup of 32 threads computes WM x WN of them.
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

export const isSubgroupTile = (tile: AnyTile): tile is SubgroupTile => 'WM' in tile;

/** Threads of a workgroup. */
export const threadsOf = (tile: AnyTile): number =>
  isSubgroupTile(tile)
    ? 32 * (tile.BM / tile.WM) * (tile.BN / tile.WN)
    : (tile.BM / tile.TM) * (tile.BN / tile.TN);
