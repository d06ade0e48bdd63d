/**
 * What the fused optimizer updates share: they run over a flat range of parameters, and weight decay
 * applies to a prefix of it.
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
import type { BenchInput, BenchInputs, CaseRandom, HostTensor } from '../define.ts';
import { at } from '../host.ts';

/**
 * Order of the values in `scalars` [5]. The bias corrections are 1 - beta1^t and sqrt(1 - beta2^t),
 * with t = `update_number`, from 1. With loss scaling, `scaled_step_results` recomputes them: skipped
 * updates stay excluded from Adam's bias correction.
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
  /** Largest norm of all gradients, above which they are clipped; 0 disables clipping. */
  max_norm: number;
  weight_decay: number;
  /** Weight decay is added to the gradient (Adam, SGD) instead of the update (AdamW). */
  coupled: boolean;
  /** Weight decay applies to this many values, from the first. */
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

/** One of the values in `scalars`, [1]. */
export const scalarAt = (scalars: Tensor, name: ScalarName): Tensor =>
  slice(scalars, [indexOf(name)], [1]);
/** The same for the oracles. */
export const scalarOf = (scalars: HostTensor, name: ScalarName): number =>
  at(scalars, indexOf(name));

/**
 * The factor that clips gradients: min(1, max_norm / (norm + 1e-6)), as in
 * `torch.nn.utils.clip_grad_norm_`.
 */
export const clipFactor = (norm: Tensor, max_norm: number): Tensor =>
  minimum(1, div(max_norm, add(norm, 1e-6)));
/** The same for the oracles; 1 if clipping is disabled. */
export const clipFactorOf = (norm: HostTensor, max_norm: number): number =>
  max_norm > 0 ? Math.min(1, max_norm / (at(norm, 0) + 1e-6)) : 1;

/**
 * Selects the old value if the update is skipped (inverse_scale is 0: some gradient is not finite),
 * else the new one.
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

/** Scalars of the third update with beta1 0.9 and beta2 0.95, for the cases. */
export const caseScalars = (random: CaseRandom): HostTensor =>
  random.values([SCALARS.length], [0.01, 0.02, 1 - 0.9 ** 3, Math.sqrt(1 - 0.95 ** 3), 3]);

/** The inputs that both updates share, for the micro-benchmark. */
export const benchScalars = (
  inputs: BenchInputs,
): Record<'norm' | 'inverse_scale' | 'scalars', BenchInput> => ({
  norm: inputs.full(2),
  inverse_scale: inputs.full(1),
  scalars: inputs.full(0.5, SCALARS.length),
});

/** Threads of a workgroup of the updates. */
export const WORKGROUP = 256;
