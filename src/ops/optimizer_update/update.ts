/**
 * What the fused updates of the optimizers share: they run over a flat range of parameters, of
 * which a prefix decays.
 */
import {
  add,
  concat,
  div,
  equal,
  fill,
  minimum,
  mul,
  slice,
  type Tensor,
  where,
} from '@tensorflow/tfjs-core';
import type { Param } from '../../backend/index.ts';
import type { CaseRandom, HostTensor } from '../define.ts';
import { at } from '../host.ts';

/**
 * Order of the numbers in `scalars` [5]. The corrections are 1 - beta1^t and sqrt(1 - beta2^t), t =
 * `update_number`, from 1. Under a loss scale `scaled_step_results` writes them anew: updates that
 * were left out do not count.
 */
export const SCALARS = [
  'learning_rate',
  'muon_learning_rate',
  'bias_correction1',
  'bias_correction2_sqrt',
  'update_number',
] as const;
export type ScalarName = (typeof SCALARS)[number];
const indexOf = (name: ScalarName): number => SCALARS.indexOf(name);

export interface UpdateAttrs {
  /** Longest gradient let through (over all parameters); 0 lets everything through. */
  max_norm: number;
  weight_decay: number;
  /** Decay is added to the gradient (Adam, SGD) and not to the update (AdamW). */
  coupled: boolean;
  /** How many values, from the first, decay. */
  decayed: number;
}

/** The first members of the kernels' uniform struct. */
export const updateParams = (n: number, a: UpdateAttrs): Param[] => [
  ['u32', n],
  ['u32', a.decayed],
  ['u32', a.coupled ? 1 : 0],
  ['f32', a.max_norm],
  ['f32', a.weight_decay],
];

/** One of the numbers in `scalars`, [1]. */
export const scalarAt = (scalars: Tensor, name: ScalarName): Tensor =>
  slice(scalars, [indexOf(name)], [1]);
export const scalarOf = (scalars: HostTensor, name: ScalarName): number =>
  at(scalars, indexOf(name));

/**
 * What gradients are multiplied by where they are clipped: min(1, max_norm / (norm + 1e-6)), as
 * `torch.nn.utils.clip_grad_norm_`.
 */
export const clipFactor = (norm: Tensor, max_norm: number): Tensor =>
  minimum(1, div(max_norm, add(norm, 1e-6)));
export const clipFactorOf = (norm: HostTensor, max_norm: number): number =>
  max_norm > 0 ? Math.min(1, max_norm / (at(norm, 0) + 1e-6)) : 1;

/**
 * Takes the old value where an update is left out (inverse_scale 0: some gradient is no number),
 * the new one elsewhere.
 */
export const keptWhere =
  (inverse_scale: Tensor) =>
  (old: Tensor, value: Tensor): Tensor =>
    where(equal(inverse_scale, 0), old, value);

/** beta a + (1 - beta) b. */
export const lerp = (a: Tensor, b: Tensor, beta: number): Tensor =>
  add(mul(a, beta), mul(b, 1 - beta));

/** weight_decay for the first values, 0 for the others: [n]. */
export function decayVector(n: number, a: UpdateAttrs): Tensor {
  const decayed = Math.min(n, a.decayed);
  if (decayed === 0 || decayed === n) return fill([n], decayed === 0 ? 0 : a.weight_decay);
  return concat([fill([decayed], a.weight_decay), fill([n - decayed], 0)]);
}

/** Third update under beta1 0.9 and beta2 0.95, for the cases. */
export const caseScalars = (r: CaseRandom): HostTensor =>
  r.values([SCALARS.length], [0.01, 0.02, 1 - 0.9 ** 3, Math.sqrt(1 - 0.95 ** 3), 3]);
export const WORKGROUP = 256;
