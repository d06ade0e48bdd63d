/**
 * How much of the reduction of gradients the backward pass hides (Li et al. 2020, PyTorch
 * Distributed, section 3.2.3). A bucket is reduced once its gradients are complete and the previous
 * bucket has been reduced, so at least the last bucket is exposed. If the reduction is faster than the
 * pass, (k - 1) / k of it is hidden with k equal buckets.
 */

export interface BucketShape {
  /** Bytes of each bucket, in the order of completion; the last one is complete when the pass ends. */
  bytes: readonly number[];
  /** Time that the reduction of all buckets takes by itself. */
  communication: number;
  /** Time of the backward pass, in the same unit. */
  backward: number;
}

/**
 * Time from the end of the backward pass to the end of the reduction. Assumes that the pass completes the
 * same number of bytes per unit of time throughout, as the FLOPs of a matmul are proportional to its
 * weights.
 */
export function exposedCommunication({ bytes, communication, backward }: BucketShape): number {
  const total = bytes.reduce((sum, size) => sum + size, 0);
  if (total === 0) return 0;
  let computed = 0;
  let end = 0;
  for (const [i, size] of bytes.entries()) {
    computed += size;
    const ready = i === bytes.length - 1 ? backward : (backward * computed) / total;
    end = Math.max(ready, end) + (communication * size) / total;
  }
  return end - backward;
}

/** Share of the reduction's time that the backward pass hides; 0 if there is no reduction. */
export function overlapFraction(shape: BucketShape): number {
  return shape.communication > 0 ? 1 - exposedCommunication(shape) / shape.communication : 0;
}
