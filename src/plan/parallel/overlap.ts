/**
 * How much of the reduction of gradients the backward pass hides (Li et al. 2020, PyTorch
 * Distributed, section 3.2.3): a bucket is reduced once its gradients are complete and the bucket
 * before it is done, so at least the last bucket is exposed. With k equal buckets and a reduction that
 * is faster than the pass, (k - 1) / k is hidden.
 */

export interface BucketShape {
  /** Bytes of each bucket, in the order of completion; the last one is complete when the pass ends. */
  bytes: readonly number[];
  /** Time of the reduction of all buckets if nothing hides it. */
  communication: number;
  /** Time of the backward pass, in the same unit. */
  backward: number;
}

/**
 * Time from the end of the backward pass to that of the reduction. Gradients are completed as
 * evenly as their bytes: the FLOPs of a matmul go with its weights.
 */
export function exposedCommunication({ bytes, communication, backward }: BucketShape): number {
  const all = bytes.reduce((sum, size) => sum + size, 0);
  if (all === 0) return 0;
  let computed = 0;
  let end = 0;
  for (const [i, size] of bytes.entries()) {
    computed += size;
    const ready = i === bytes.length - 1 ? backward : (backward * computed) / all;
    end = Math.max(ready, end) + (communication * size) / all;
  }
  return end - backward;
}

/** Share of the reduction's time that the backward pass hides. */
export function overlapFraction(shape: BucketShape): number {
  return shape.communication > 0 ? 1 - exposedCommunication(shape) / shape.communication : 0;
}
