/**
 * A chain in tfjs ops, a parameter at a time: how it runs where there are no kernels, and what the
 * kernels are checked against.
 */
import {
  add,
  mul,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  zerosLike,
} from '@tensorflow/tfjs-core';
import type { Moment } from '../common/index.ts';
import { fillInPlace, onWebGpu, type Store } from '../backend/index.ts';
import { adamStep, clipFactor, keptWhere, scalarAt } from '../ops/index.ts';
import {
  chainOf,
  maxNorm,
  type OptimizedParameter,
  type ParameterTransform,
  type Transform,
} from './describe.ts';
import { muon } from './muon.ts';
import { assign, stateOf, type UpdateStores } from './stores.ts';

/**
 * sqrt of the sum of squares of all gradients, a scalar. (Not addN: on WebGPU it binds all of its
 * inputs at once.)
 */
export const globalNorm = (parameters: readonly OptimizedParameter[], gradients: Store): Tensor =>
  tidy(() =>
    sqrt(parameters.map((p) => sum(square(gradients.get(p.name)))).reduce((a, b) => add(a, b))),
  );

/**
 * Moves these parameters and their state, by gradients that are `inverse_scale` of those in the
 * buffers where there is one (0: nothing moves). The gradients stay as they are: `zeroGradients`.
 */
export function updatePlainly(
  chain: readonly Transform[],
  parameters: readonly OptimizedParameter[],
  s: UpdateStores,
  norm: Tensor,
  inverse_scale: Tensor | null,
): void {
  const max_norm = maxNorm(chain);
  for (const p of parameters) {
    tidy(() => {
      const value = s.parameters.get(p.name);
      const buffer = s.gradients.get(p.name);
      const gradient = inverse_scale ? mul(buffer, inverse_scale) : buffer;
      const kept = inverse_scale
        ? keptWhere(inverse_scale)
        : (_old: Tensor, next: Tensor): Tensor => next;
      let u = max_norm > 0 ? mul(gradient, clipFactor(norm, max_norm)) : gradient;
      for (const t of chainOf(chain, p)) u = transform(t, p, u, value, s, kept);
      assign(s.parameters, p.name, kept(value, sub(value, u)));
    });
  }
}

/** The update `u` of a parameter after one transform, whose state is moved on. */
function transform(
  t: ParameterTransform,
  p: OptimizedParameter,
  u: Tensor,
  value: Tensor,
  s: UpdateStores,
  kept: (old: Tensor, value: Tensor) => Tensor,
): Tensor {
  const get = (moment: Moment): Tensor => stateOf(s, moment).get(`${moment}.${p.name}`);
  const set = (moment: Moment, values: Tensor): void =>
    assign(stateOf(s, moment), `${moment}.${p.name}`, kept(get(moment), values));
  switch (t.kind) {
    case 'add_decayed_weights':
      return add(u, mul(value, t.weight_decay));
    case 'scale_by_adam': {
      const next = adamStep(
        u,
        { exp_avg: get('exp_avg'), exp_avg_sq: get('exp_avg_sq') },
        s.scalars.get('scalars'),
        t,
      );
      set('exp_avg', next.exp_avg);
      set('exp_avg_sq', next.exp_avg_sq);
      return next.update;
    }
    case 'scale_by_momentum': {
      const buffer = add(mul(get('momentum_buffer'), t.momentum), u);
      set('momentum_buffer', buffer);
      return buffer;
    }
    case 'scale_by_muon': {
      const next = muon(p, u, get('momentum_buffer'), t.momentum);
      set('momentum_buffer', next.buffer);
      return next.update;
    }
    case 'scale_by_learning_rate':
      return mul(u, scalarAt(s.scalars.get('scalars'), t.rate));
    default:
      return t satisfies never;
  }
}

/** For the next step's micro-batches to add to. */
export function zeroGradients(gradients: Store): void {
  if (onWebGpu()) for (const { tensor } of gradients.chunks) fillInPlace(tensor, 0);
  else for (const name of gradients.names) gradients.replace(name, zerosLike(gradients.get(name)));
}
