/**
 * Adam and AdamW over a flat range, in one dispatch (Kingma and Ba 2015, algorithm 1; Loshchilov
 * and Hutter 2019, algorithm 2).
 */
import { add, div, mul, sqrt, square, sub, type Tensor, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch, type Param } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';
import code from './adam_update.wgsl?raw';
import {
  benchScalars,
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

/** The most workgroups: eight on each of the 132 multiprocessors of an H100. */
const MAX_WORKGROUPS = 1056;

export interface AdamAttrs {
  beta1: number;
  beta2: number;
  epsilon: number;
}
export interface AdamUpdateAttrs extends AdamAttrs, UpdateAttrs {}
type Out = 'parameter' | 'gradient' | 'exp_avg' | 'exp_avg_sq';
type In = Out | 'norm' | 'inverse_scale' | 'scalars';

/** First and second moment, named as in `torch.optim.Adam`. */
export type Moments = Tensors<'exp_avg' | 'exp_avg_sq'>;

/**
 * One step of `torch.optim.AdamW` in tfjs ops: the moments after this gradient, and the update, to be
 * multiplied by the learning rate.
 */
export function adamStep(
  gradient: Tensor,
  moments: Moments,
  scalars: Tensor,
  { beta1, beta2, epsilon }: AdamAttrs,
): Moments & { update: Tensor } {
  const exp_avg = lerp(moments.exp_avg, gradient, beta1);
  const exp_avg_sq = lerp(moments.exp_avg_sq, square(gradient), beta2);
  const root = div(sqrt(exp_avg_sq), scalarAt(scalars, 'bias_correction2_sqrt'));
  const corrected = div(exp_avg, scalarAt(scalars, 'bias_correction1'));
  return { update: div(corrected, add(root, epsilon)), exp_avg, exp_avg_sq };
}

function oracle(
  { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars }: Hosts<In>,
  attrs: AdamUpdateAttrs,
): Hosts<Out> {
  const { beta1, beta2, epsilon, coupled } = attrs;
  const n = parameter.data.length;
  const factor = clipFactorOf(norm, attrs.max_norm) * at(inverse_scale, 0);
  if (at(inverse_scale, 0) === 0) return { parameter, gradient: zeros([n]), exp_avg, exp_avg_sq };
  const out = {
    parameter: zeros([n]),
    gradient: zeros([n]),
    exp_avg: zeros([n]),
    exp_avg_sq: zeros([n]),
  };
  for (let i = 0; i < n; i++) {
    const value = at(parameter, i);
    const decay = i < attrs.decayed ? attrs.weight_decay * value : 0;
    const g = at(gradient, i) * factor + (coupled ? decay : 0);
    const m = beta1 * at(exp_avg, i) + (1 - beta1) * g;
    const v = beta2 * at(exp_avg_sq, i) + (1 - beta2) * g * g;
    const root = Math.sqrt(v) / scalarOf(scalars, 'bias_correction2_sqrt');
    const update = m / scalarOf(scalars, 'bias_correction1') / (root + epsilon);
    out.parameter.data[i] =
      value - scalarOf(scalars, 'learning_rate') * (update + (coupled ? 0 : decay));
    out.exp_avg.data[i] = m;
    out.exp_avg_sq.data[i] = v;
  }
  return out;
}

function reference(
  { parameter, gradient, exp_avg, exp_avg_sq, norm, inverse_scale, scalars }: Tensors<In>,
  attrs: AdamUpdateAttrs,
): Tensors<Out> {
  const { coupled, max_norm } = attrs;
  const decay = mul(parameter, decayVector(parameter.size, attrs));
  const unscaled = mul(gradient, inverse_scale);
  const clipped = max_norm > 0 ? mul(unscaled, clipFactor(norm, max_norm)) : unscaled;
  const decayed = coupled ? add(clipped, decay) : clipped;
  const next = adamStep(decayed, { exp_avg, exp_avg_sq }, scalars, attrs);
  const update = coupled ? next.update : add(next.update, decay);
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
  attrs: AdamUpdateAttrs,
): Tensors<Out> {
  const width = widthOf(parameter.size);
  const units = parameter.size / width;
  dispatch({
    name: 'adam_update',
    code: unitCode(width, {}) + code,
    writes: [],
    updates: [parameter, gradient, exp_avg, exp_avg_sq],
    reads: [norm, inverse_scale, scalars],
    params: [...updateParams(units, attrs), ...adamParams(attrs)],
    workgroups: [Math.min(MAX_WORKGROUPS, Math.ceil(units / (2 * WORKGROUP))), 1, 1],
  });
  return { parameter, gradient, exp_avg, exp_avg_sq };
}

/** The last members of the kernel's uniform struct. */
export function adamParams({ beta1, beta2, epsilon }: AdamAttrs): Param[] {
  return [
    ['f32', beta1],
    ['f32', 1 - beta1],
    ['f32', beta2],
    ['f32', 1 - beta2],
    ['f32', epsilon],
  ];
}

const ATTRS: AdamUpdateAttrs = {
  max_norm: 1,
  weight_decay: 0.1,
  coupled: false,
  decayed: 5,
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
};

const adamCase = (
  name: string,
  n: number,
  changes: Partial<AdamUpdateAttrs>,
  inverse_scale = 1,
): OpCase<In, AdamUpdateAttrs> => ({
  name,
  attrs: { ...ATTRS, ...changes },
  inputs: (random) => {
    const root = random.normal([n], 0.3);
    return {
      parameter: random.normal([n]),
      gradient: random.normal([n]),
      exp_avg: random.normal([n], 0.1),
      exp_avg_sq: random.values([n], [...root.data.map((v) => v * v)]),
      norm: random.values([], [3.5]),
      inverse_scale: random.values([], [inverse_scale]),
      scalars: caseScalars(random),
    };
  },
});

/**
 * parameter, gradient, exp_avg, exp_avg_sq [n], norm [], inverse_scale [], scalars [5] (`SCALARS`) ->
 * the first four after the update, with the gradient zeroed. By kernels these are updated in place and
 * returned themselves.
 *
 * `norm` is that of all gradients, for clipping. Gradients are first multiplied by `inverse_scale`,
 * which undoes the loss scale; 0 skips the update.
 */
export const adamUpdate = defineOp({
  name: 'adam_update',
  inputs: ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq', 'norm', 'inverse_scale', 'scalars'],
  outputs: ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq'],
  oracle,
  reference,
  kernel,
  gradient: null,
  bench: ({ P }, inputs) => [
    {
      attrs: { ...ATTRS, decayed: P },
      inputs: {
        parameter: inputs.normal(P),
        gradient: inputs.normal(P),
        exp_avg: inputs.normal(P),
        exp_avg_sq: inputs.full(0.1, P),
        ...benchScalars(inputs),
      },
    },
  ],
  cases: [
    adamCase('decoupled decay of a prefix', 301, {}),
    adamCase('coupled, not clipped', 64, { coupled: true, decayed: 64, max_norm: 0 }),
    adamCase('no decay', 3, { decayed: 0, epsilon: 1e-3 }),
    adamCase('units of four', 72, {}),
    adamCase('more than one round', 2 * MAX_WORKGROUPS * WORKGROUP + 665, {}),
    adamCase('scaled', 70, {}, 2 ** -3),
    adamCase('skipped', 70, {}, 0),
  ],
});
