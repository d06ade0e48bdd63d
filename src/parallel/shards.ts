/**
 * Which rank of data parallelism owns which values of each parameter: of its moments from ZeRO-1 on, of
 * its gradient from ZeRO-2 on, and of its weights under ZeRO-3 (Rajbhandari et al. 2020).
 *
 * Each parameter is cut into as many runs of values as there are ranks, of nearly equal length; FSDP2
 * cuts its first dimension likewise. Cuts are at multiples of 64 values, because a view of a device's
 * buffer has to begin at a multiple of 256 bytes. Blocks that are left over go to the ranks in turn, so
 * that the many small vectors of a model do not all end up on rank 0. Matrices that Muon updates stay
 * whole, because their orthogonalization needs all of their values; each goes to the rank that owns
 * the fewest values of such matrices so far.
 */
import { type Parameter, parameterSize } from '../model/index.ts';

/** Values [start, end) of a parameter, row-major. */
export interface ShardRange {
  start: number;
  end: number;
}

/** By name of the parameter, the range of each rank in order. A range may be empty. */
export type Shards = ReadonlyMap<string, readonly ShardRange[]>;

/** Values of a block, the unit in which parameters are cut. */
const BLOCK = 64;

/**
 * Distributes parameters over the ranks of data parallelism.
 *
 * @param staysWhole whether one rank owns the whole parameter, such as a matrix that Muon updates
 */
export function shardsOf(
  parameters: readonly Parameter[],
  ranks: number,
  staysWhole: (parameter: Parameter) => boolean,
): Shards {
  const shards = new Map<string, ShardRange[]>();
  /** Values of whole parameters that each rank owns. */
  const owned = new Array<number>(ranks).fill(0);
  /** The rank that gets the next block that is left over. */
  let next = 0;
  for (const parameter of parameters) {
    const size = parameterSize(parameter);
    if (staysWhole(parameter)) {
      const owner = owned.indexOf(Math.min(...owned));
      owned[owner] = (owned[owner] ?? 0) + size;
      shards.set(parameter.name, wholeTo(owner, ranks, size));
      continue;
    }
    const blocks = Math.ceil(size / BLOCK);
    const counts = blocksOfRanks(blocks, ranks, next);
    next = (next + (blocks % ranks)) % ranks;
    shards.set(parameter.name, rangesOf(counts, size));
  }
  return shards;
}

/** All values to one rank; the ranges of the others are empty. */
function wholeTo(owner: number, ranks: number, size: number): ShardRange[] {
  return Array.from({ length: ranks }, (_, rank) => ({
    start: rank > owner ? size : 0,
    end: rank < owner ? 0 : size,
  }));
}

/** Number of blocks of each rank; those left over go to the ranks from `next` on. */
function blocksOfRanks(blocks: number, ranks: number, next: number): number[] {
  const least = Math.floor(blocks / ranks);
  const extra = blocks % ranks;
  return Array.from({ length: ranks }, (_, rank) => {
    const turn = (rank - next + ranks) % ranks;
    return least + (turn < extra ? 1 : 0);
  });
}

function rangesOf(counts: readonly number[], size: number): ShardRange[] {
  let end = 0;
  return counts.map((count) => {
    const start = Math.min(size, end);
    end += count * BLOCK;
    return { start, end: Math.min(size, end) };
  });
}

/** The ranges of one rank that are not empty, by name of the parameter. */
export function shardOfRank(shards: Shards, rank: number): Map<string, ShardRange> {
  const own = new Map<string, ShardRange>();
  for (const [name, ranges] of shards) {
    const range = ranges[rank];
    if (range && range.end > range.start) own.set(name, range);
  }
  return own;
}
