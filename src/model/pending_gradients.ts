import type { Tensor } from '@tensorflow/tfjs-core';
import { ownsBuffer } from '../backend/index.ts';
import { add, kernelsInUse, run } from '../ops/index.ts';

/** Gradients of activations that wait for the node that made the activation, by tensor id. */
export class PendingGradients {
  readonly #pending = new Map<number, Tensor>();

  /** Takes over `gradient` as (one more part of) the gradient of the tensor. */
  give(id: number, gradient: Tensor): void {
    const before = this.#pending.get(id);
    if (!before) {
      this.#pending.set(id, gradient);
      return;
    }
    this.#pending.set(id, run(add, { a: before, b: gradient }, {}).sum);
    before.dispose();
    gradient.dispose();
  }

  /**
   * The pending gradient of the tensor, if a kernel may add to it in place. A clone may not be added
   * to, because it shares its buffer (`add` gives two of its dy).
   */
  addable(id: number): Tensor | undefined {
    const pending = this.#pending.get(id);
    return pending && kernelsInUse() && ownsBuffer(pending) ? pending : undefined;
  }

  take(id: number): Tensor | undefined {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    return pending;
  }
}
