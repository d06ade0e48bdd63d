/** What Muon's update of whole matrices takes on a rank. */
import type { Mesh } from './mesh.ts';
import type { RankParameter } from './rank_parameters.ts';

export interface OwnedMatrices {
  /** Share of the values of all matrices in blocks. */
  share: number;
  /** Values of the largest one. */
  largest: number;
}

/**
 * The matrices that a rank updates: all of them or, under ZeRO, where they stay whole, because
 * orthogonalization needs all of their values, those that it owns. Each goes to the rank that has
 * least so far (`parallel/shards.ts`). Without `dp_rank`, of the fullest rank.
 */
export function ownedMatrices(
  parameters: readonly RankParameter[],
  { dp, zero_stage }: Mesh,
  dp_rank: number | undefined,
): OwnedMatrices {
  const matrices = parameters.filter(({ kind }) => kind === 'matrix');
  const ranks = Array.from({ length: zero_stage > 0 ? dp : 1 }, () => ({ owned: 0, largest: 0 }));
  for (let block = 0; block < (matrices[0]?.copies ?? 0); block++) {
    for (const { values } of matrices) {
      const owner = ranks.reduce((least, rank) => (rank.owned < least.owned ? rank : least));
      owner.owned += values;
      owner.largest = Math.max(owner.largest, values);
    }
  }
  const all = ranks.reduce((sum, { owned }) => sum + owned, 0);
  const fullest = ranks.reduce((most, rank) => (rank.owned > most.owned ? rank : most));
  const rank = ranks[dp_rank ?? -1] ?? fullest;
  return { share: all > 0 ? rank.owned / all : 1, largest: rank.largest };
}

/** Matrices that orthogonalization has at a time, each as large as the one that it updates. */
const MATRICES = 5;

/** Bytes of scratch of the update. */
export const muonScratch = ({ largest }: OwnedMatrices): number => 4 * MATRICES * largest;
