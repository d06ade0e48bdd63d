/** The feed-forward branch of a block. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { mlp, mlpAdd, type MlpAttrs, mlpBias, mlpBiasAdd, relu2Glu, swiglu } from '../ops/index.ts';
import { type BranchEnd, dropBranch, dropoutIsOn, dropoutSite } from './dropout.ts';
import { type Forward, isSelective } from './forward.ts';
import { type BlockNames, blockNames, isGpt2 } from './layout.ts';
import { adapts, branchNorm, project, projectBranch } from './projections.ts';

/**
 * mlp(norm(x)) [tokens, n_embd], plus the residual if there is one. Without one it returns the bare
 * branch, for a caller that reduces it first (tensor parallelism).
 */
export function mlpBranch(forward: Forward, layer: number, x: Tensor, residual?: Tensor): Tensor {
  const names = blockNames(forward.model, layer);
  const end = { site: dropoutSite(layer, 'mlpBranch'), residual };
  return isGpt2(forward.model)
    ? gpt2Branch(forward, names, x, end)
    : gatedBranch(forward, names, x, end);
}

/** Llama: down(act(gate(x)) * up(x)), with gate and up packed side by side. */
function gatedBranch(forward: Forward, names: BlockNames, x: Tensor, end: BranchEnd): Tensor {
  const { tape, model } = forward;
  const normed = branchNorm(forward, names.mlpNorm, x);
  const gate_up = project(forward, `${names.mlp}.gate_up_proj`, normed);
  const activation = model.activation_function === 'relu2' ? relu2Glu : swiglu;
  // An adapter needs its input for its gradient, which is the largest activation of a block.
  const recompute = isSelective(forward) || adapts(forward, `${names.mlp}.down_proj`);
  const { y } = tape.apply(activation, { gate_up }, {}, { recompute });
  return projectBranch(forward, `${names.mlp}.down_proj`, y, end);
}

/** GPT-2: two projections with the activation between them. */
function gpt2Branch(forward: Forward, names: BlockNames, x: Tensor, end: BranchEnd): Tensor {
  const normed = branchNorm(forward, names.mlpNorm, x);
  if (forward.tensor_parallel || adapts(forward, `${names.mlp}.c_fc`)) {
    return unfusedBranch(forward, names, normed, end);
  }
  if (end.residual && !dropoutIsOn(forward)) {
    return feedForward(forward, names.mlp, normed, end.residual);
  }
  return dropBranch(forward, feedForward(forward, names.mlp, normed), end);
}

/** GPT-2's block layer by layer, because something is added to the result of a matmul. */
function unfusedBranch(forward: Forward, names: BlockNames, x: Tensor, end: BranchEnd): Tensor {
  const before = project(forward, `${names.mlp}.c_fc`, x);
  const layers = forward.tensor_parallel ?? forward.weights.adapters;
  const after = layers?.activate(forward, before, mlpAttrs(forward)) ?? before;
  return projectBranch(forward, `${names.mlp}.c_proj`, after, end);
}

function mlpAttrs({ model }: Forward): MlpAttrs {
  switch (model.activation_function) {
    case 'relu2':
      return { activation: 'relu2' };
    case 'gelu':
      return { activation: 'exact_gelu' };
    default:
      return { activation: 'gelu' };
  }
}

function feedForward(forward: Forward, name: string, x: Tensor, residual?: Tensor): Tensor {
  const { tape, model, weights } = forward;
  const attrs = mlpAttrs(forward);
  const fc_weight = weights.get(`${name}.c_fc.weight`);
  const proj_weight = weights.get(`${name}.c_proj.weight`);
  const matrices = { x, fc_weight, proj_weight };
  if (!model.bias) {
    return residual
      ? tape.apply(mlpAdd, { ...matrices, residual }, attrs).y
      : tape.apply(mlp, matrices, attrs).y;
  }
  const fc_bias = weights.get(`${name}.c_fc.bias`);
  const proj_bias = weights.get(`${name}.c_proj.bias`);
  const inputs = { ...matrices, fc_bias, proj_bias };
  return residual
    ? tape.apply(mlpBiasAdd, { ...inputs, residual }, attrs).y
    : tape.apply(mlpBias, inputs, attrs).y;
}
