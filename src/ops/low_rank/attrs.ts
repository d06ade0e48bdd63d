/** Attributes and sizes of low-rank updates. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dims2 } from '../host.ts';

export interface LowRankAttrs {
  /** Factor of the update: alpha / r. */
  scale: number;
  /**
   * Output features of each part of the layer, such as those of q, k and v. Part p reads the columns
   * [p r, (p + 1) r) of h.
   */
  parts: readonly number[];
}

/** Output features of all parts. */
export const outputsOf = ({ parts }: LowRankAttrs): number =>
  parts.reduce((total, part) => total + part, 0);

/** The output feature at which each part ends. */
export function partEnds(parts: readonly number[]): number[] {
  let end = 0;
  return parts.map((part) => {
    end += part;
    return end;
  });
}

/** The part of each output feature. */
export const partOfColumns = ({ parts }: LowRankAttrs): number[] =>
  parts.flatMap((width, part) => new Array<number>(width).fill(part));

/** Whether kernels may read four neighbouring output features at once. */
export const inRowsOfFour = ({ parts }: LowRankAttrs): boolean =>
  parts.every((width) => width % 4 === 0);

/** Throws if y [N, out] and b [r, out] do not have the output features of the parts. */
export function checkOutputs(attrs: LowRankAttrs, y: Tensor, b?: Tensor): void {
  const out = outputsOf(attrs);
  for (const { shape } of b ? [y, b] : [y]) {
    const [, columns] = dims2(shape);
    if (columns === out) continue;
    throw new Error(`low_rank: the parts have ${out} output features, not ${columns}.`);
  }
}
