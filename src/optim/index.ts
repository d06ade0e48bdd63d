/** Optimizers described as chains of transforms, and the learning rate by step. */
export {
  describeOptimizer,
  momentsOf,
  type OptimizedParameter,
  type Transform,
} from './describe.ts';
export { createLossScale, type LossScale, readLossScale } from './loss_scale.ts';
export { createOptimizer, type Optimizer, type OptimizerState } from './optimizer.ts';
export { learningRate } from './schedule.ts';
