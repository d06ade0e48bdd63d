/** Memory of a rank, measured from its stores and programs. */
import type { RankMemory } from '../common/index.ts';
import type { RankParts } from './rank_parts.ts';

/** Bytes that a rank holds for a step, without those of its source (`RankScoring`). */
export function memoryOf({
  stores,
  referenceCopy,
  optimizer,
  microBatches,
  update,
}: RankParts): Omit<RankMemory, 'allocated' | 'rollouts' | 'gathered'> {
  const { weights, gradients } = stores;
  return {
    weights: weights.trainable.bytes + bytesOf(weights.frozen) + bytesOf(referenceCopy?.frozen),
    gradients: gradients.store.bytes,
    optimizer: optimizer.state.bytes,
    programs: microBatches.ownBytes + update.ownBytes,
    scratch: Math.max(microBatches.scratchBytes, update.scratchBytes),
  };
}

const bytesOf = (store: { bytes: number } | null | undefined): number => store?.bytes ?? 0;
