/** SGD with momentum over a flat range, in one dispatch (`torch.optim.SGD` without dampening). */
import { add, mul, sub, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch, grid } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import code from './sgd_update.wgsl?raw';
import {
  benchScalars,
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
  attrs: SgdUpdateAttrs,
): Hosts<Out> {
  const n = parameter.data.length;
  const { coupled, momentum } = attrs;
  const factor = clipFactorOf(norm, attrs.max_norm) * at(inverse_scale, 0);
  if (at(inverse_scale, 0) === 0) return { parameter, gradient: zeros([n]), momentum_buffer };
  const out = { parameter: zeros([n]), gradient: zeros([n]), momentum_buffer: zeros([n]) };
  for (let i = 0; i < n; i++) {
    const value = at(parameter, i);
    const decay = i < attrs.decayed ? attrs.weight_decay * value : 0;
    const buffer =
      momentum * at(momentum_buffer, i) + at(gradient, i) * factor + (coupled ? decay : 0);
    out.momentum_buffer.data[i] = buffer;
    out.parameter.data[i] =
      value - scalarOf(scalars, 'learning_rate') * (buffer + (coupled ? 0 : decay));
  }
  return out;
}

function reference(
  { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars }: Tensors<In>,
  attrs: SgdUpdateAttrs,
): Tensors<Out> {
  const { coupled, momentum, max_norm } = attrs;
  const decay = mul(parameter, decayVector(parameter.size, attrs));
  const unscaled = mul(gradient, inverse_scale);
  const clipped = max_norm > 0 ? mul(unscaled, clipFactor(norm, max_norm)) : unscaled;
  const buffer = add(mul(momentum_buffer, momentum), coupled ? add(clipped, decay) : clipped);
  const update = coupled ? buffer : add(buffer, decay);
  const kept = keptWhere(inverse_scale);
  return {
    parameter: kept(parameter, sub(parameter, mul(update, scalarAt(scalars, 'learning_rate')))),
    gradient: zerosLike(gradient),
    momentum_buffer: kept(momentum_buffer, buffer),
  };
}

function kernel(
  { parameter, gradient, momentum_buffer, norm, inverse_scale, scalars }: Tensors<In>,
  attrs: SgdUpdateAttrs,
): Tensors<Out> {
  dispatch({
    name: 'sgd_update',
    code,
    writes: [],
    updates: [parameter, gradient, momentum_buffer],
    reads: [norm, inverse_scale, scalars],
    params: [...updateParams(parameter.size, attrs), ['f32', attrs.momentum]],
    workgroups: grid(Math.ceil(parameter.size / WORKGROUP)),
  });
  return { parameter, gradient, momentum_buffer };
}

const ATTRS: SgdUpdateAttrs = {
  max_norm: 1,
  weight_decay: 0.1,
  coupled: true,
  decayed: 5,
  momentum: 0.9,
};

const sgdCase = (
  name: string,
  n: number,
  changes: Partial<SgdUpdateAttrs>,
  inverse_scale = 1,
): OpCase<In, SgdUpdateAttrs> => ({
  name,
  attrs: { ...ATTRS, ...changes },
  inputs: (random) => ({
    parameter: random.normal([n]),
    gradient: random.normal([n]),
    momentum_buffer: random.normal([n]),
    norm: random.values([], [3.5]),
    inverse_scale: random.values([], [inverse_scale]),
    scalars: caseScalars(random),
  }),
});

/**
 * parameter, gradient, momentum_buffer [n], norm [], inverse_scale [], scalars [5] (`SCALARS`) -> the
 * first three after the update, with the gradient zeroed. By kernels these are updated in place and
 * returned themselves. `norm` and `inverse_scale` are as in `adamUpdate`.
 */
export const sgdUpdate = defineOp({
  name: 'sgd_update',
  inputs: ['parameter', 'gradient', 'momentum_buffer', 'norm', 'inverse_scale', 'scalars'],
  outputs: ['parameter', 'gradient', 'momentum_buffer'],
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
        momentum_buffer: inputs.normal(P),
        ...benchScalars(inputs),
      },
    },
  ],
  cases: [
    sgdCase('coupled decay of a prefix', 301, {}),
    sgdCase('decoupled, not clipped', 64, { coupled: false, decayed: 64, max_norm: 0 }),
    sgdCase('no decay', 3, { decayed: 0 }),
    sgdCase('scaled', 70, {}, 2 ** -3),
    sgdCase('skipped', 70, {}, 0),
  ],
});
