/**
 * Operations. Each has one record (`record.ts`) and one folder, which holds the float64 oracle, the
 * reference in tfjs ops, the WGSL kernels, the gradient and the implementation on the processor.
 */
import { loadWithProcessor } from '../backend/index.ts';

export * from './define.ts';
export * from './add/add.ts';
export * from './attention/attention.ts';
export * from './attention/attention_dropout.ts';
export * from './attention/attrs.ts';
export { crossEntropy, crossEntropyGrad } from './cross_entropy/cross_entropy.ts';
export * from './dropout/dropout.ts';
export * from './dropout/mask.ts';
export { embedding, embeddingGrad } from './embedding/embedding.ts';
export * from './embedding/position_embedding.ts';
export * from './embedding/segments.ts';
export * from './glu/glu.ts';
export {
  headCrossEntropy,
  type HeadCrossEntropyAttrs,
  headCrossEntropyGrad,
  headCrossEntropyGradX,
} from './head_cross_entropy/head_cross_entropy.ts';
export * from './heads/layout.ts';
export * from './layer_norm/layer_norm.ts';
export * from './linear/linear.ts';
export * from './linear/linear_grad.ts';
export { type Choice, type Choices, seenMatmuls } from './matmul/choices.ts';
export * from './matmul/matmul.ts';
export { prepareMatmuls } from './matmul/self_test.ts';
export { COLUMN_SUMS } from './matmul/plan.ts';
export { mlpHiddenGrad, type MlpAttrs } from './mlp/core.ts';
export * from './mlp/mlp.ts';
export * from './qk_norm/qk_norm.ts';
export * from './rms_norm/rms_norm.ts';
export * from './rope/rope.ts';
export * from './scale/scale.ts';
export * from './step_sums/scaled_weights.ts';
export * from './step_sums/step_sums.ts';
export * from './optimizer_update/adam_update.ts';
export * from './optimizer_update/grad_norm.ts';
export * from './optimizer_update/sgd_update.ts';
export * from './optimizer_update/scaled_step_results.ts';
export * from './optimizer_update/step_results.ts';
export {
  clipFactor,
  keptWhere,
  scalarAt,
  type ScalarName,
  SCALARS,
  type UpdateAttrs,
} from './optimizer_update/update.ts';

loadWithProcessor(() => import('./processor.ts'));
