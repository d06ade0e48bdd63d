/** Sums of a step that have weights of their own, one dispatch for each part. */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import type { TracedLoss } from '../../model/index.ts';
import { weightedColumns, weightedSum } from '../../ops/alignment.ts';
import { kernelsInUse, run } from '../../ops/index.ts';

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
    for (const part of parts) {
      sums = withPart(sums, part, { size, index });
      index += part.values.size / part.weights.size;
    }
    if (!sums) throw new Error('There are no sums.');
    return sums;
  };
}

function withPart(
  sums: Tensor | undefined,
  { weights, values: x }: SumPart,
  attrs: { size: number; index: number },
): Tensor {
  const into = sums && kernelsInUse() ? { sums } : {};
  const op = x.rank === 1 ? weightedSum : weightedColumns;
  const added = run(op, { weights, x }, attrs, into).sums;
  return sums && !into.sums ? add(sums, added) : added;
}
