/**
 * Optimizers as chains of transforms, after optax: the update starts as the gradient, each
 * transform changes it in turn, and what comes out is subtracted from the parameter. Where decay
 * stands in the chain decides what it is: before the moments it is added to the gradient (L2, as
 * torch.optim.Adam and SGD have it), after them it is decoupled (AdamW).
 */
import type { Moment } from '../common/index.ts';
import type { TrainingConfig } from '../config/index.ts';

/** Which parameters a transform changes; the others pass it as they are. */
export type Mask = 'all' | 'matrices' | 'hidden_matrices' | 'all_but_hidden_matrices';

export type Transform =
  /**
   * u min(1, max_norm / (norm + 1e-6)), norm over all gradients (Pascanu et al. 2013;
   * `torch.nn.utils.clip_grad_norm_`).
   */
  | { kind: 'clip_by_global_norm'; max_norm: number }
  /** u + weight_decay p. */
  | { kind: 'add_decayed_weights'; weight_decay: number; on: Mask }
  /**
   * m^ / (sqrt(v^) + epsilon) with bias-corrected moments (Kingma and Ba 2015, algorithm 1;
   * `torch.optim.Adam`). State: exp_avg, exp_avg_sq.
   */
  | { kind: 'scale_by_adam'; beta1: number; beta2: number; epsilon: number; on: Mask }
  /**
   * b = momentum b + u, and b comes out (`torch.optim.SGD`, no dampening). State: momentum_buffer.
   */
  | { kind: 'scale_by_momentum'; momentum: number; on: Mask }
  /** Nesterov momentum, orthogonalised (muon.ts). State: momentum_buffer. */
  | { kind: 'scale_by_muon'; momentum: number; on: Mask }
  /** u times the step's rate. */
  | { kind: 'scale_by_learning_rate'; rate: 'learning_rate' | 'muon_learning_rate'; on: Mask };

/** A transform of one parameter's update; clipping is of all parameters together. */
export type ParameterTransform = Exclude<Transform, { kind: 'clip_by_global_norm' }>;

/** What the chains ask of a parameter; src/model's Parameter is one. */
export interface OptimizedParameter {
  name: string;
  shape: readonly number[];
  /** A matrix: decay takes these alone. */
  decay: boolean;
  kind: 'embedding' | 'matrix' | 'head' | 'norm' | 'bias';
  /** Columns of the matrices that are packed side by side in it. */
  parts: readonly { start: number; end: number }[];
}

/** The chain of a TrainingConfig's optimizer. */
export function describeOptimizer(training: TrainingConfig): Transform[] {
  const { weight_decay, momentum } = training;
  const clip: Transform[] =
    training.grad_clip > 0 ? [{ kind: 'clip_by_global_norm', max_norm: training.grad_clip }] : [];
  const decay: Transform[] =
    weight_decay > 0 ? [{ kind: 'add_decayed_weights', weight_decay, on: 'matrices' }] : [];
  const adam = (on: Mask): Transform => ({
    kind: 'scale_by_adam',
    beta1: training.beta1,
    beta2: training.beta2,
    epsilon: training.epsilon,
    on,
  });
  const rate: Transform = { kind: 'scale_by_learning_rate', rate: 'learning_rate', on: 'all' };
  switch (training.optimizer) {
    case 'adamw':
      return [...clip, adam('all'), ...decay, rate];
    case 'adam':
      return [...clip, ...decay, adam('all'), rate];
    case 'sgd':
      return [
        ...clip,
        ...decay,
        ...(momentum > 0 ? [{ kind: 'scale_by_momentum', momentum, on: 'all' } as const] : []),
        rate,
      ];
    case 'muon':
      return [
        ...clip,
        { kind: 'scale_by_muon', momentum, on: 'hidden_matrices' },
        adam('all_but_hidden_matrices'),
        ...decay,
        { kind: 'scale_by_learning_rate', rate: 'muon_learning_rate', on: 'hidden_matrices' },
        { kind: 'scale_by_learning_rate', rate: 'learning_rate', on: 'all_but_hidden_matrices' },
      ];
    default:
      return training.optimizer satisfies never;
  }
}

/**
 * Whether a mask takes this parameter. Embeddings and the head are matrices, but not hidden ones.
 */
export function covers(mask: Mask, p: OptimizedParameter): boolean {
  switch (mask) {
    case 'all':
      return true;
    case 'matrices':
      return p.decay;
    case 'hidden_matrices':
      return p.kind === 'matrix';
    case 'all_but_hidden_matrices':
      return p.kind !== 'matrix';
    default:
      return mask satisfies never;
  }
}

/** The transforms that change this parameter's own update, in order. */
export const chainOf = (chain: readonly Transform[], p: OptimizedParameter): ParameterTransform[] =>
  chain.filter((t) => t.kind !== 'clip_by_global_norm').filter((t) => covers(t.on, p));

/** Where the chain clips, 0 where it does not. */
export const maxNorm = (chain: readonly Transform[]): number =>
  chain.find((t) => t.kind === 'clip_by_global_norm')?.max_norm ?? 0;

/** Adam's betas, 0 where nothing in the chain is Adam's. */
export function betasOf(chain: readonly Transform[]): { beta1: number; beta2: number } {
  const adam = chain.find((t) => t.kind === 'scale_by_adam');
  return { beta1: adam?.beta1 ?? 0, beta2: adam?.beta2 ?? 0 };
}

/** State that a chain keeps for a parameter. */
export const momentsOf = (chain: readonly Transform[], p: OptimizedParameter): Moment[] =>
  chainOf(chain, p).flatMap((t): Moment[] => {
    switch (t.kind) {
      case 'scale_by_adam':
        return ['exp_avg', 'exp_avg_sq'];
      case 'scale_by_momentum':
      case 'scale_by_muon':
        return ['momentum_buffer'];
      case 'add_decayed_weights':
      case 'scale_by_learning_rate':
        return [];
      default:
        return t satisfies never;
    }
  });
