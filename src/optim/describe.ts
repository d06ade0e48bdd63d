/**
 * Optimizers as chains of transforms, after optax. The update starts as the gradient, each transform
 * changes it in turn, and the result is subtracted from the parameter. The position of weight decay
 * in the chain decides its kind: before the moments it is added to the gradient (L2 regularization,
 * as in torch.optim.Adam and SGD), after them it is decoupled (AdamW).
 */
import type { Moment } from '../common/index.ts';
import type { TrainingConfig } from '../config/index.ts';

/** The parameters that a transform applies to; it leaves the updates of all others unchanged. */
export type Mask = 'all' | 'matrices' | 'hidden_matrices' | 'all_but_hidden_matrices';

/** One link of a chain; `u` is the update so far and `p` the parameter. */
export type Transform =
  /**
   * u * min(1, max_norm / (norm + 1e-6)), where the norm is over all gradients (Pascanu et al. 2013;
   * `torch.nn.utils.clip_grad_norm_`).
   */
  | { kind: 'clip_by_global_norm'; max_norm: number }
  /** u + weight_decay * p. */
  | { kind: 'add_decayed_weights'; weight_decay: number; on: Mask }
  /**
   * m / (sqrt(v) + epsilon) with bias-corrected moments m and v (Kingma and Ba 2015, algorithm 1;
   * `torch.optim.Adam`). Keeps exp_avg and exp_avg_sq.
   */
  | { kind: 'scale_by_adam'; beta1: number; beta2: number; epsilon: number; on: Mask }
  /** b = momentum * b + u, without dampening (`torch.optim.SGD`). Keeps b as momentum_buffer. */
  | { kind: 'scale_by_momentum'; momentum: number; on: Mask }
  /** Orthogonalized Nesterov momentum (muon.ts). Keeps momentum_buffer. */
  | { kind: 'scale_by_muon'; momentum: number; on: Mask }
  /** u times this rate of the step. */
  | { kind: 'scale_by_learning_rate'; rate: 'learning_rate' | 'muon_learning_rate'; on: Mask };

/** A transform of one parameter's update; clipping involves all parameters. */
export type ParameterTransform = Exclude<Transform, { kind: 'clip_by_global_norm' }>;

/** What an optimizer needs to know of a parameter. `Parameter` of src/model is one. */
export interface OptimizedParameter {
  name: string;
  shape: readonly number[];
  /** Whether weight decay applies; true of matrices. */
  decay: boolean;
  kind: 'embedding' | 'matrix' | 'head' | 'norm' | 'bias';
  /** Column ranges of the matrices that are packed side by side in this parameter. */
  parts: readonly { start: number; end: number }[];
}

/** The chain of a TrainingConfig's optimizer. */
export function describeOptimizer(training: TrainingConfig): Transform[] {
  const { grad_clip } = training;
  const rest = chainAfterClipping(training);
  if (grad_clip <= 0) return rest;
  return [{ kind: 'clip_by_global_norm', max_norm: grad_clip }, ...rest];
}

function chainAfterClipping(training: TrainingConfig): Transform[] {
  const { weight_decay, momentum } = training;
  const decay: Transform[] =
    weight_decay > 0 ? [{ kind: 'add_decayed_weights', weight_decay, on: 'matrices' }] : [];
  const momentumOfAll: Transform[] =
    momentum > 0 ? [{ kind: 'scale_by_momentum', momentum, on: 'all' }] : [];
  const rate: Transform = { kind: 'scale_by_learning_rate', rate: 'learning_rate', on: 'all' };
  switch (training.optimizer) {
    case 'adamw':
      return [adam(training, 'all'), ...decay, rate];
    case 'adam':
      return [...decay, adam(training, 'all'), rate];
    case 'sgd':
      return [...decay, ...momentumOfAll, rate];
    case 'muon':
      return [
        { kind: 'scale_by_muon', momentum, on: 'hidden_matrices' },
        adam(training, 'all_but_hidden_matrices'),
        ...decay,
        { kind: 'scale_by_learning_rate', rate: 'muon_learning_rate', on: 'hidden_matrices' },
        { kind: 'scale_by_learning_rate', rate: 'learning_rate', on: 'all_but_hidden_matrices' },
      ];
    default:
      return training.optimizer satisfies never;
  }
}

const adam = ({ beta1, beta2, epsilon }: TrainingConfig, on: Mask): Transform => ({
  kind: 'scale_by_adam',
  beta1,
  beta2,
  epsilon,
  on,
});

/**
 * Whether a mask includes this parameter. Embeddings and the head are matrices, but not hidden ones.
 */
export function covers(mask: Mask, parameter: OptimizedParameter): boolean {
  switch (mask) {
    case 'all':
      return true;
    case 'matrices':
      return parameter.decay;
    case 'hidden_matrices':
      return parameter.kind === 'matrix';
    case 'all_but_hidden_matrices':
      return parameter.kind !== 'matrix';
    default:
      return mask satisfies never;
  }
}

/** The transforms that apply to this parameter's update, in order. */
export const chainOf = (
  chain: readonly Transform[],
  parameter: OptimizedParameter,
): ParameterTransform[] =>
  chain
    .filter((transform) => transform.kind !== 'clip_by_global_norm')
    .filter((transform) => covers(transform.on, parameter));

/** The norm at which the chain clips gradients; 0 if it does not clip. */
export const maxNorm = (chain: readonly Transform[]): number =>
  chain.find((transform) => transform.kind === 'clip_by_global_norm')?.max_norm ?? 0;

/** Adam's betas; 0 if Adam is not in the chain. */
export function betasOf(chain: readonly Transform[]): { beta1: number; beta2: number } {
  const scale = chain.find((transform) => transform.kind === 'scale_by_adam');
  return { beta1: scale?.beta1 ?? 0, beta2: scale?.beta2 ?? 0 };
}

/** The moments that a chain keeps for a parameter. */
export const momentsOf = (chain: readonly Transform[], parameter: OptimizedParameter): Moment[] =>
  chainOf(chain, parameter).flatMap(momentsOfTransform);

function momentsOfTransform(transform: ParameterTransform): Moment[] {
  switch (transform.kind) {
    case 'scale_by_adam':
      return ['exp_avg', 'exp_avg_sq'];
    case 'scale_by_momentum':
    case 'scale_by_muon':
      return ['momentum_buffer'];
    case 'add_decayed_weights':
    case 'scale_by_learning_rate':
      return [];
    default:
      return transform satisfies never;
  }
}
