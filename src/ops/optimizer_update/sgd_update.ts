/** SGD with momentum over a flat range, in one dispatch (`torch.optim.SGD` without dampening). */
import { add, mul, sub, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch, grid } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import code from './sgd_update.wgsl?raw';
import {
  caseScalars,
  clipFactor,
  clipFactorOf,
  decayVector,
  keptWhere,
  scalarAt,
  scalarOf,
  type UpdateAttrs,
  updateParams,
  WORKGROUP,
} from './update.ts';

export interface SgdUpdateAttrs extends UpdateAttrs {
  momentum: number;
}
type Out = 'parameter' | 'gradient' | 'momentum_buffer';
type In = Out | 'norm' | 'inverse_scale' | 'scalars';

function oracle(
  { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars }: Hosts<In>,
  a: SgdUpdateAttrs,
): Hosts<Out> {
  const n = parameter.data.length;
  const factor = clipFactorOf(norm, a.max_norm) * at(inverse_scale, 0);
  if (at(inverse_scale, 0) === 0) return { parameter, gradient: zeros([n]), momentum_buffer };
  const out = { parameter: zeros([n]), gradient: zeros([n]), momentum_buffer: zeros([n]) };
  for (let i = 0; i < n; i++) {
    const value = at(parameter, i);
    const decay = i < a.decayed ? a.weight_decay * value : 0;
    const b =
      a.momentum * at(momentum_buffer, i) + at(gradient, i) * factor + (a.coupled ? decay : 0);
    out.momentum_buffer.data[i] = b;
    out.parameter.data[i] =
      value - scalarOf(scalars, 'learning_rate') * (b + (a.coupled ? 0 : decay));
  }
  return out;
}

function reference(
  { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars }: Tensors<In>,
  a: SgdUpdateAttrs,
): Tensors<Out> {
  const decay = mul(parameter, decayVector(parameter.size, a));
  const unscaled = mul(gradient, inverse_scale);
  const clipped = a.max_norm > 0 ? mul(unscaled, clipFactor(norm, a.max_norm)) : unscaled;
  const buffer = add(mul(momentum_buffer, a.momentum), a.coupled ? add(clipped, decay) : clipped);
  const update = a.coupled ? buffer : add(buffer, decay);
  const kept = keptWhere(inverse_scale);
  return {
    parameter: kept(parameter, sub(parameter, mul(update, scalarAt(scalars, 'learning_rate')))),
    gradient: zerosLike(gradient),
    momentum_buffer: kept(momentum_buffer, buffer),
  };
}

function kernel(
  { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars }: Tensors<In>,
  a: SgdUpdateAttrs,
): Tensors<Out> {
  dispatch({
    name: 'sgd_update',
    code,
    writes: [],
    updates: [parameter, gradient, momentum_buffer],
    reads: [norm, inverse_scale, scalars],
    params: [...updateParams(parameter.size, a), ['f32', a.momentum]],
    workgroups: grid(Math.ceil(parameter.size / WORKGROUP)),
  });
  return { parameter, gradient, momentum_buffer };
}

const sgdCase = (
  name: string,
  n: number,
  changes: Partial<SgdUpdateAttrs>,
  inverse_scale = 1,
): OpCase<In, SgdUpdateAttrs> => ({
  name,
  attrs: { max_norm: 1, weight_decay: 0.1, coupled: true, decayed: 5, momentum: 0.9, ...changes },
  inputs: (r) => ({
    parameter: r.normal([n]),
    gradient: r.normal([n]),
    momentum_buffer: r.normal([n]),
    norm: r.values([], [3.5]),
    inverse_scale: r.values([], [inverse_scale]),
    scalars: caseScalars(r),
  }),
});

/**
 * parameter, gradient, momentum_buffer [n], norm (of all gradients) and inverse_scale (as in
 * `adam_update`) scalars, scalars [5] (`SCALARS`) -> the first three, the gradient zeroed. On
 * WebGPU all three are written in place and come back themselves.
 */
export const sgd_update = defineOp({
  name: 'sgd_update',
  inputs: ['parameter', 'gradient', 'momentum_buffer', 'norm', 'inverse_scale', 'scalars'],
  outputs: ['parameter', 'gradient', 'momentum_buffer'],
  oracle,
  reference,
  kernel,
  gradient: null,
  cases: [
    sgdCase('coupled decay of a prefix', 301, {}),
    sgdCase('decoupled, not clipped', 64, { coupled: false, decayed: 64, max_norm: 0 }),
    sgdCase('no decay', 3, { decayed: 0 }),
    sgdCase('scaled', 70, {}, 2 ** -3),
    sgdCase('left out', 70, {}, 0),
  ],
});
