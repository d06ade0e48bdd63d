/**
 * Runs a chain in tfjs ops, one parameter at a time. Backends without kernels use it, and the
 * kernels are checked against it.
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
import { fillInPlace, hasOwnKernels, type TensorStore } from '../backend/index.ts';
import { adamStep, clipFactor, keptWhere, scalarAt } from '../ops/index.ts';
import { chainOf, maxNorm, type OptimizedParameter, type ParameterTransform } from './describe.ts';
import { muon } from './muon.ts';
import {
  assign,
  flushMomentum,
  flushParameter,
  stateOf,
  type Update,
  type UpdateStores,
} from './stores.ts';

/**
 * The norm of all gradients, a scalar. It does not use tfjs's addN, which binds all of its inputs in
 * one dispatch on WebGPU.
 */
export const globalNorm = (
  parameters: readonly OptimizedParameter[],
  gradients: TensorStore,
): Tensor =>
  tidy(() => {
    const squares = parameters.map(({ name }) => sum(square(gradients.get(name))));
    return sqrt(squares.reduce((a, b) => add(a, b)));
  });

/**
 * Updates the parameters and their moments. `inverse_scale` (null without a loss scale) unscales the
 * gradients; if it is 0, the update is skipped. The gradients are not changed: `zeroGradients`.
 */
export function updatePlainly(update: Update, norm: Tensor, inverse_scale: Tensor | null): void {
  const { chain, parameters, stores } = update;
  const max_norm = maxNorm(chain);
  const select = inverse_scale ? keptWhere(inverse_scale) : takeNew;
  for (const parameter of parameters)
    tidy(() => {
      const value = stores.parameters.get(parameter.name);
      const buffer = stores.gradients.get(parameter.name);
      const gradient = inverse_scale ? mul(buffer, inverse_scale) : buffer;
      let u = max_norm > 0 ? mul(gradient, clipFactor(norm, max_norm)) : gradient;
      for (const transform of chainOf(chain, parameter))
        u = applyTransform(transform, u, { parameter, value, stores, select });
      assign(stores.parameters, parameter.name, select(value, sub(value, u)));
      flushParameter(stores.parameters.get(parameter.name));
    });
}

/** Selects the old value if the update is skipped, else the new one. */
type Select = (oldValue: Tensor, newValue: Tensor) => Tensor;
const takeNew: Select = (_oldValue, newValue) => newValue;

interface TransformContext {
  parameter: OptimizedParameter;
  /** Value of the parameter before the update. */
  value: Tensor;
  stores: UpdateStores;
  select: Select;
}

/** The update `u` of a parameter after one transform. Advances the transform's moments. */
function applyTransform(
  transform: ParameterTransform,
  u: Tensor,
  { parameter, value, stores, select }: TransformContext,
): Tensor {
  const scalars = stores.scalars.get('scalars');
  const getMoment = (moment: Moment): Tensor =>
    stateOf(stores, moment).get(`${moment}.${parameter.name}`);
  const setMoment = (moment: Moment, newValue: Tensor): void => {
    const selected = select(getMoment(moment), newValue);
    assign(stateOf(stores, moment), `${moment}.${parameter.name}`, selected);
  };
  switch (transform.kind) {
    case 'add_decayed_weights':
      return add(u, mul(value, transform.weight_decay));
    case 'scale_by_adam': {
      const moments = { exp_avg: getMoment('exp_avg'), exp_avg_sq: getMoment('exp_avg_sq') };
      const next = adamStep(u, moments, scalars, transform);
      setMoment('exp_avg', next.exp_avg);
      setMoment('exp_avg_sq', next.exp_avg_sq);
      return next.update;
    }
    case 'scale_by_momentum': {
      const buffer = add(mul(getMoment('momentum_buffer'), transform.momentum), u);
      setMoment('momentum_buffer', buffer);
      return buffer;
    }
    case 'scale_by_muon': {
      const next = muon(parameter, u, getMoment('momentum_buffer'), transform.momentum);
      setMoment('momentum_buffer', next.buffer);
      flushMomentum(getMoment('momentum_buffer'));
      return next.update;
    }
    case 'scale_by_learning_rate':
      return mul(u, scalarAt(scalars, transform.rate));
    default:
      return transform satisfies never;
  }
}

/** Resets all gradients, so that the micro-batches of the next step can add to them. */
export function zeroGradients(gradients: TensorStore): void {
  if (hasOwnKernels()) {
    for (const { tensor } of gradients.chunks) fillInPlace(tensor, 0);
    return;
  }
  for (const name of gradients.names) gradients.replace(name, zerosLike(gradients.get(name)));
}
