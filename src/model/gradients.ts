/**
 * Gradient buffers of the trainable parameters. On WebGPU they lie flat, and kernels add to them in
 * place.
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import { addInPlace, hasOwnKernels, type Store } from '../backend/index.ts';
import type { GradientSink } from './tape.ts';

/** Gradients of a run, as its programs know them. */
export interface ModelGradients extends GradientSink {
  /** Those of the trainable parameters; under ZeRO-2 and 3, this rank's part of them. */
  readonly store: Store;
  /** Must be called before each forward, because some backends replace the weights' tensors. */
  refresh(): void;
  /** The backward pass of a micro-batch has added all of its gradients. */
  flush?(): void;
  /** Called between two micro-batches, and after the last one of a step. */
  finishMicroBatch?(): Promise<void>;
}

export class Gradients implements ModelGradients {
  /** Name of each trainable parameter by the id of its current tensor. */
  readonly #names = new Map<number, string>();
  readonly #inPlace = hasOwnKernels();
  readonly #weights: Store;

  /** `store` has one tensor for each trainable parameter of `weights`, under the same name. */
  constructor(
    readonly store: Store,
    weights: Store,
  ) {
    this.#weights = weights;
  }

  /** Must be called before each forward, because other backends replace the weights' tensors. */
  refresh(): void {
    this.#names.clear();
    for (const name of this.store.names) this.#names.set(this.#weights.get(name).id, name);
  }

  parameterOf(tensor: Tensor): string | undefined {
    return this.#names.get(tensor.id);
  }

  buffer(name: string): Tensor | undefined {
    return this.#inPlace ? this.store.get(name) : undefined;
  }

  add(name: string, gradient: Tensor): void {
    if (this.#inPlace) addInPlace(this.store.get(name), gradient);
    else this.store.replace(name, add(this.store.get(name), gradient));
  }
}

/** For a forward pass without a backward pass. */
export const noGradients: GradientSink = {
  parameterOf: () => undefined,
  buffer: () => undefined,
  add: () => undefined,
};
