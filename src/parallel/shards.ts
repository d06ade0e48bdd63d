/**
 * Which rank of data parallelism owns which values of each parameter: of its moments under ZeRO-1,
 * of its gradient under ZeRO-2, of its weights under ZeRO-3 (Rajbhandari et al. 2020).
 *
 * Each parameter is cut into as many runs of values as there are ranks, of nearly equal length, as
 * FSDP2 cuts its first dimension. Cuts lie at multiples of 64 values (256 bytes, where a view of a
 * device's buffer may begin). Blocks that are left over go to one rank after the other, so that the
 * many small vectors of a model do not all end up on rank 0. Matrices that Muon updates stay whole,
 * because their orthogonalization needs all of their values: each goes to the rank that has least.
 */
import { type Parameter, parameterSize } from '../model/index.ts';

/** Values [start, end) of a parameter, row-major. */
export interface ShardRange {
  start: number;
  end: number;
}

/** For each parameter, the range of each rank, in the order of the ranks; may be empty. */
export type Shards = ReadonlyMap<string, readonly ShardRange[]>;

const BLOCK = 64;

/** @param staysWhole whether a parameter belongs to one rank, such as a matrix that Muon updates */
export function shardsOf(
  parameters: readonly Parameter[],
  ranks: number,
  staysWhole: (parameter: Parameter) => boolean,
): Shards {
  const shards = new Map<string, ShardRange[]>();
  const owned = new Array<number>(ranks).fill(0);
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

/** The ranges of one rank that are not empty, by parameter. */
export function shardOfRank(shards: Shards, rank: number): Map<string, ShardRange> {
  const own = new Map<string, ShardRange>();
  for (const [name, ranges] of shards) {
    const range = ranges[rank];
    if (range && range.end > range.start) own.set(name, range);
  }
  return own;
}
