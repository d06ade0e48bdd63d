/** Records which tensors are views of others. `views.ts` creates them. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** Where a view lies in its owner, in bytes. The owner itself is never a view. */
export interface View {
  owner: Tensor;
  offset: number;
  size: number;
}

const views = new WeakMap<object, View>();

export function recordView(tensor: Tensor, view: View): void {
  views.set(tensor.dataId, view);
}

/** Where the view lies; undefined if the tensor is not a view. */
export function viewBy(tensor: { dataId: object }): View | undefined {
  return views.get(tensor.dataId);
}

/** The tensor whose buffer holds this tensor's values: itself if it is not a view. */
export function ownerOf(tensor: Tensor): Tensor {
  return viewBy(tensor)?.owner ?? tensor;
}
