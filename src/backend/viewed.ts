/** Which tensors are views of others (`views.ts` makes them), and of what. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** Where a view lies in its owner, which is no view itself: bytes. */
export interface View {
  owner: Tensor;
  offset: number;
  size: number;
}

const views = new WeakMap<object, View>();

export function noteView(t: Tensor, view: View): void {
  views.set(t.dataId, view);
}
export const viewBy = (t: { dataId: object }): View | undefined => views.get(t.dataId);
/** The tensor whose buffer this one's values lie in. */
export const ownerOf = (t: Tensor): Tensor => viewBy(t)?.owner ?? t;
