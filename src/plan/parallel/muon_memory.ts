/** Memory of Muon's update on a rank. Muon orthogonalizes whole matrices, so ZeRO cannot cut them. */
import type { Mesh } from './mesh.ts';
import type { RankParameter } from './rank_parameters.ts';

export interface OwnedMatrices {
  /** Share that the rank owns of the values of all matrices in blocks. */
  share: number;
  /** Values of the largest matrix that it owns. */
  largest: number;
}

/**
 * The matrices that a rank updates: all of them, or under ZeRO those that it owns. Each matrix goes to
 * the rank that owns the fewest values so far (`parallel/shards.ts`).
 *
 * @param dp_rank undefined for the rank that owns the most
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
  const total = ranks.reduce((sum, { owned }) => sum + owned, 0);
  const fullest = ranks.reduce((best, rank) => (rank.owned > best.owned ? rank : best));
  const rank = ranks[dp_rank ?? -1] ?? fullest;
  return { share: total > 0 ? rank.owned / total : 1, largest: rank.largest };
}

/** Matrices that orthogonalization holds at once, each as large as the one that is updated. */
const ORTHOGONALIZATION_MATRICES = 5;

/** Bytes of scratch of the update, which handles one matrix at a time. */
export const muonScratch = ({ largest }: OwnedMatrices): number =>
  4 * ORTHOGONALIZATION_MATRICES * largest;
