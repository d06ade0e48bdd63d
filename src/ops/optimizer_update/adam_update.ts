/**
 * Adam and AdamW over a flat range, in one dispatch (Kingma and Ba 2015, algorithm 1; Loshchilov
 * and Hutter 2019, algorithm 2).
 */
import { add, div, mul, sqrt, square, sub, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';
import code from './adam_update.wgsl?raw';
import {
  caseScalars,
  clipFactor,
  clipFactorOf,
  decayVector,
  keptWhere,
  lerp,
  scalarAt,
  scalarOf,
  type UpdateAttrs,
  updateParams,
  WORKGROUP,
} from './update.ts';

/**
 * At most, each for two units a thread and round: eight on each of 132 multiprocessors of a large
 * card.
 */
const WORKGROUPS = 1056;

export interface AdamAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
}
export interface AdamUpdateAttrs extends AdamAttrs, UpdateAttrs {}
type Out = 'parameter' | 'gradient' | 'exp_avg' | 'exp_avg_sq';
type In = Out | 'norm' | 'inverse_scale' | 'scalars';

/**
 * Moments after this gradient, and the update that they give (to be multiplied by the learning
 * rate), as `torch.optim.AdamW` has them.
 */
export function adamStep(
  g: Tensor,
  exp_avg: Tensor,
  exp_avg_sq: Tensor,
  scalars: Tensor,
  a: AdamAttrs,
): { update: Tensor; exp_avg: Tensor; exp_avg_sq: Tensor } {
  const m = lerp(exp_avg, g, a.beta1);
  const v = lerp(exp_avg_sq, square(g), a.beta2);
  const denominator = add(div(sqrt(v), scalarAt(scalars, 'bias_correction2_sqrt')), a.epsilon);
  return {
    update: div(div(m, scalarAt(scalars, 'bias_correction1')), denominator),
    exp_avg: m,
    exp_avg_sq: v,
  };
}

function oracle(
  { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars }: Hosts<In>,
  a: AdamUpdateAttrs,
): Hosts<Out> {
  const n = parameter.data.length;
  const factor = clipFactorOf(norm, a.max_norm) * at(inverse_scale, 0);
  if (at(inverse_scale, 0) === 0) return { parameter, gradient: zeros([n]), exp_avg, exp_avg_sq };
  const out = {
    parameter: zeros([n]),
    gradient: zeros([n]),
    exp_avg: zeros([n]),
    exp_avg_sq: zeros([n]),
  };
  for (let i = 0; i < n; i++) {
    const value = at(parameter, i);
    const decay = i < a.decayed ? a.weight_decay * value : 0;
    const g = at(gradient, i) * factor + (a.coupled ? decay : 0);
    const m = a.beta1 * at(exp_avg, i) + (1 - a.beta1) * g;
    const v = a.beta2 * at(exp_avg_sq, i) + (1 - a.beta2) * g * g;
    const u =
      m /
      scalarOf(scalars, 'bias_correction1') /
      (Math.sqrt(v) / scalarOf(scalars, 'bias_correction2_sqrt') + a.epsilon);
    out.parameter.data[i] =
      value - scalarOf(scalars, 'learning_rate') * (u + (a.coupled ? 0 : decay));
    out.exp_avg.data[i] = m;
    out.exp_avg_sq.data[i] = v;
  }
  return out;
}

function reference(
  { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars }: Tensors<In>,
  a: AdamUpdateAttrs,
): Tensors<Out> {
  const decay = mul(parameter, decayVector(parameter.size, a));
  const unscaled = mul(gradient, inverse_scale);
  const clipped = a.max_norm > 0 ? mul(unscaled, clipFactor(norm, a.max_norm)) : unscaled;
  const next = adamStep(a.coupled ? add(clipped, decay) : clipped, exp_avg, exp_avg_sq, scalars, a);
  const update = a.coupled ? next.update : add(next.update, decay);
  const kept = keptWhere(inverse_scale);
  return {
    parameter: kept(parameter, sub(parameter, mul(update, scalarAt(scalars, 'learning_rate')))),
    gradient: zerosLike(gradient),
    exp_avg: kept(exp_avg, next.exp_avg),
    exp_avg_sq: kept(exp_avg_sq, next.exp_avg_sq),
  };
}

function kernel(
  { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars }: Tensors<In>,
  a: AdamUpdateAttrs,
): Tensors<Out> {
  const width = widthOf(parameter.size);
  const units = parameter.size / width;
  dispatch({
    name: 'adam_update',
    code: unitCode(width, {}) + code,
    writes: [],
    updates: [parameter, gradient, exp_avg, exp_avg_sq],
    reads: [norm, inverse_scale, scalars],
    params: [
      ...updateParams(units, a),
      ['f32', a.beta1],
      ['f32', 1 - a.beta1],
      ['f32', a.beta2],
      ['f32', 1 - a.beta2],
      ['f32', a.epsilon],
    ],
    workgroups: [Math.min(WORKGROUPS, Math.ceil(units / (2 * WORKGROUP))), 1, 1],
  });
  return { parameter, gradient, exp_avg, exp_avg_sq };
}

const adamCase = (
  name: string,
  n: number,
  changes: Partial<AdamUpdateAttrs>,
  inverse_scale = 1,
): OpCase<In, AdamUpdateAttrs> => ({
  name,
  attrs: {
    max_norm: 1,
    weight_decay: 0.1,
    coupled: false,
    decayed: 5,
    beta1: 0.9,
    beta2: 0.95,
    epsilon: 1e-8,
    ...changes,
  },
  inputs: (r) => {
    const second = r.normal([n], 0.3);
    return {
      parameter: r.normal([n]),
      gradient: r.normal([n]),
      exp_avg: r.normal([n], 0.1),
      exp_avg_sq: r.values([n], [...second.data.map((v) => v * v)]),
      norm: r.values([], [3.5]),
      inverse_scale: r.values([], [inverse_scale]),
      scalars: caseScalars(r),
    };
  },
});

/**
 * parameter, gradient, exp_avg, exp_avg_sq [n], norm (of all gradients) and inverse_scale (what
 * gradients are multiplied by before all else; 0 leaves the update out) scalars, scalars [5]
 * (`SCALARS`) -> the first four, the gradient zeroed. On WebGPU all four are written in place and
 * come back themselves.
 */
export const adam_update = defineOp({
  name: 'adam_update',
  inputs: ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq', 'norm', 'inverse_scale', 'scalars'],
  outputs: ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq'],
  oracle,
  reference,
  kernel,
  gradient: null,
  cases: [
    adamCase('decoupled decay of a prefix', 301, {}),
    adamCase('coupled, not clipped', 64, { coupled: true, decayed: 64, max_norm: 0 }),
    adamCase('no decay', 3, { decayed: 0, epsilon: 1e-3 }),
    adamCase('units of four', 72, {}),
    adamCase('more than one round', 2 * WORKGROUPS * WORKGROUP + 665, {}),
    adamCase('scaled', 70, {}, 2 ** -3),
    adamCase('left out', 70, {}, 0),
  ],
});
