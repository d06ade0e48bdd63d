/** Types that the forward and backward passes of LayerNorm and RMSNorm share. */
import type { Tensor } from '@tensorflow/tfjs-core';

/** What the backward pass reads. */
export interface NormGradInputs {
  /** [N, d]. */
  x: Tensor;
  /** [d]. */
  weight: Tensor;
  /** Mean of each row, [N]; null for RMSNorm, which does not center its rows. */
  mean: Tensor | null;
  /** 1 / sqrt(variance + eps) of each row, [N]. */
  rstd: Tensor;
  /** Gradient of the output, [N, d]. */
  dy: Tensor;
}

/** Existing gradients that the kernels add to, if given, instead of writing new tensors. */
export interface NormGradInto {
  dx?: Tensor;
  weight?: Tensor;
  bias?: Tensor;
}
