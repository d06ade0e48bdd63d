/** Norms and linear layers by name, in the form that the model's layout has. */
import type { Tensor } from '@tensorflow/tfjs-core';
import {
  layerNorm,
  layerNormNoBias,
  linear,
  linearAdd,
  linearBias,
  linearBiasAdd,
  rmsNorm,
} from '../ops/index.ts';
import { type BranchEnd, dropBranch, dropoutIsOn } from './dropout.ts';
import { type Forward, isSelective } from './forward.ts';
import { hasBias, isGpt2 } from './layout.ts';
import type { LayerValues } from './weights.ts';

/** Whether a linear layer has an adapter. */
export function adapts({ weights }: Forward, layer: string): boolean {
  return weights.adapters?.has(layer) ?? false;
}

/**
 * RMS norm in Llama, layer norm in GPT-2: [tokens, n_embd]. Over frozen weights nothing but adapters
 * reads the result of RMS norm again, so it is not kept.
 */
export function norm(forward: Forward, name: string, x: Tensor): Tensor {
  const { tape, model, weights } = forward;
  const weight = weights.get(`${name}.weight`);
  const attrs = { eps: model.norm_eps };
  const recompute = isSelective(forward);
  if (!isGpt2(model)) {
    return tape.apply(rmsNorm, { x, weight }, attrs, { recompute: recompute || !!weights.adapters })
      .y;
  }
  if (!model.bias) return tape.apply(layerNormNoBias, { x, weight }, attrs, { recompute }).y;
  const bias = weights.get(`${name}.bias`);
  return tape.apply(layerNorm, { x, weight, bias }, attrs, { recompute }).y;
}

/**
 * The norm before the first projections of a branch, which tensor parallelism splits by columns.
 */
export function branchNorm(forward: Forward, name: string, x: Tensor): Tensor {
  const y = norm(forward, name, x);
  forward.tensor_parallel?.copyToRegion(forward.tape, y);
  return y;
}

/** x W, plus a bias if the model has biases, and the update of an adapter if there is one. */
export function project(forward: Forward, name: string, x: Tensor): Tensor {
  return adapted(forward, { layer: name, x, base: unadapted(forward, name, x) });
}

function unadapted(forward: Forward, name: string, x: Tensor): Tensor {
  const { tape, model, weights, tensor_parallel } = forward;
  const weight = weights.get(`${name}.weight`);
  if (!hasBias(model, name) || tensor_parallel?.omitsBias(name))
    return tape.apply(linear, { x, weight }, {}).y;
  return tape.apply(linearBias, { x, weight, bias: weights.get(`${name}.bias`) }, {}).y;
}

/**
 * The last projection of a branch, its dropout, and the residual if there is one. Without dropout
 * the residual is added where the product is stored, unless other ranks have parts of it.
 */
export function projectBranch(forward: Forward, name: string, x: Tensor, end: BranchEnd): Tensor {
  const { residual } = end;
  const { tensor_parallel } = forward;
  if (!residual || dropoutIsOn(forward) || tensor_parallel) {
    const y = project(forward, name, x);
    tensor_parallel?.reduceFromRegion(y);
    return dropBranch(forward, y, end);
  }
  return adapted(forward, { layer: name, x, base: projectAdd(forward, name, x, residual) });
}

function projectAdd(forward: Forward, name: string, x: Tensor, residual: Tensor): Tensor {
  const { tape, model, weights } = forward;
  const weight = weights.get(`${name}.weight`);
  if (!hasBias(model, name)) return tape.apply(linearAdd, { x, weight, residual }, {}).y;
  const bias = weights.get(`${name}.bias`);
  return tape.apply(linearBiasAdd, { x, weight, bias, residual }, {}).y;
}

function adapted(forward: Forward, values: LayerValues): Tensor {
  const { adapters } = forward.weights;
  return adapters?.has(values.layer) ? adapters.add(forward, values) : values.base;
}
