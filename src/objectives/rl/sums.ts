/** Sums of a step, one dispatch for each, on devices with kernels of ours. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type TracedLoss } from '../../model/index.ts';
import { weightedColumns, weightedSum } from '../../ops/alignment.ts';
import { kernelsInUse, run } from '../../ops/index.ts';
import { add } from '@tensorflow/tfjs-core';

/** Weights [n], and values [n] or columns of values [n, columns]. */
export interface SumPart {
  weights: Tensor;
  values: Tensor;
}

/** The weighted sums of the parts one after the other, `size` in all, as TracedLoss requires. */
export function partSums(parts: readonly SumPart[], size: number): TracedLoss['sums'] {
  return (into) => {
    let sums = into;
    let index = 0;
    for (const { weights, values } of parts) {
      sums = addPart({ weights, values }, { size, index }, sums);
      index += values.size / weights.size;
    }
    if (!sums) throw new Error('There are no sums.');
    return sums;
  };
}

function addPart(
  { weights, values: x }: SumPart,
  attrs: { size: number; index: number },
  sums: Tensor | undefined,
): Tensor {
  const inPlace = kernelsInUse() && sums ? { sums } : {};
  const added =
    x.rank === 1
      ? run(weightedSum, { weights, x }, attrs, inPlace).sums
      : run(weightedColumns, { weights, x }, attrs, inPlace).sums;
  return sums && added !== sums ? add(sums, added) : added;
}
