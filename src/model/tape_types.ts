/** What a tape records, and where it puts gradients. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OpDefinition, Tensors } from '../ops/index.ts';
import type { PendingGradients } from './pending_gradients.ts';

/** Where the gradients of parameters go. */
export interface GradientSink {
  /** Name of the trainable parameter that this tensor is, if it is one. */
  parameterOf(tensor: Tensor): string | undefined;
  /** Buffer that kernels may add to in place, if the backend has such buffers. */
  buffer(parameter: string): Tensor | undefined;
  /** Adds a gradient that is a tensor of its own. */
  add(parameter: string, gradient: Tensor): void;
  /** An operation has added its gradient of the parameter; others that read it may follow. */
  added?(parameter: string): void;
}

export interface Node {
  saved: readonly Tensor[];
  back(gradients: PendingGradients): void;
}

/** Computes a tensor once more from tensors that are kept. */
export interface Recipe {
  from: readonly Tensor[];
  make: () => Tensor;
}

/** An operation that has run, with the inputs whose gradients are needed. */
export interface Application<I extends string, A, O extends string, D extends I> {
  op: OpDefinition<I, A, O, D>;
  inputs: Tensors<I>;
  attrs: A;
  outputs: Tensors<O>;
  wanted: readonly (D & I)[];
}

/** Where a backward pass begins, and the gradient there. */
export interface TapeEnd {
  from: Tensor;
  seed: Tensor;
}
