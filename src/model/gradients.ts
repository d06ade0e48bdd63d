/**
 * Gradient buffers of the parameters that train: flat on WebGPU, where kernels add to them in
 * place.
 */
import { add, type Tensor } from '@tensorflow/tfjs-core';
import { addInPlace, onWebGpu, Store } from '../backend/index.ts';
import type { GradientSink } from './tape.ts';

export class Gradients implements GradientSink {
  private readonly names = new Map<number, string>();
  private readonly inPlace = onWebGpu();

  /** `store` has one tensor a trainable parameter of `weights`, by the same name. */
  constructor(
    readonly store: Store,
    private readonly weights: Store,
  ) {}

  /**
   * Where backends replace weights by new tensors, their ids change: call it before each forward.
   */
  refresh(): void {
    this.names.clear();
    for (const name of this.store.names) this.names.set(this.weights.get(name).id, name);
  }

  parameterOf(t: Tensor): string | undefined {
    return this.names.get(t.id);
  }
  buffer(name: string): Tensor | undefined {
    return this.inPlace ? this.store.get(name) : undefined;
  }
  add(name: string, gradient: Tensor): void {
    if (this.inPlace) addInPlace(this.store.get(name), gradient);
    else this.store.replace(name, add(this.store.get(name), gradient));
  }
}

/** For a forward that no gradient follows. */
export const noGradients: GradientSink = {
  parameterOf: () => undefined,
  buffer: () => undefined,
  add: () => undefined,
};
