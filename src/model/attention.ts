/** The attention branch of a block. QK-norm as in Qwen3. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { ResolvedModel } from '../config/index.ts';
import { attention, attentionDropout, type Dropout, qkNorm, rope } from '../ops/index.ts';
import { dropoutIsOn, dropoutSite } from './dropout.ts';
import { type Forward, isSelective } from './forward.ts';
import { type BlockNames, blockNames } from './layout.ts';
import { branchNorm, project, projectBranch } from './projections.ts';

/** The model's head counts, as attention operations take them. */
export function headShape({ n_head, n_kv_head, head_dim }: ResolvedModel) {
  return { n_head, n_kv_head, head_dim };
}

/**
 * attention(norm(x)) [tokens, n_embd], plus the residual if there is one. Without one it returns
 * the bare branch, for a caller that reduces it first (tensor parallelism).
 */
export function attentionBranch(
  forward: Forward,
  layer: number,
  x: Tensor,
  residual?: Tensor,
): Tensor {
  const names = blockNames(forward.model, layer);
  const qkv = queriesKeysValues(forward, names, x);
  const y = (forward.attend ?? attend)(forward, layer, qkv);
  const site = dropoutSite(layer, 'attentionBranch');
  return projectBranch(forward, names.attentionOutput, y, { site, residual });
}

/** Packed [tokens, (n_head + 2 n_kv_head) head_dim], after QK-norm and the rotary embedding. */
function queriesKeysValues(forward: Forward, names: BlockNames, x: Tensor): Tensor {
  const { tape, model, weights, rotary, inputs } = forward;
  const heads = headShape(model);
  // The gradient of QK-norm keeps its input. Without it, this would keep the input of RoPE instead.
  const recompute = model.qk_norm && isSelective(forward);
  let qkv = project(forward, names.qkv, branchNorm(forward, names.attentionNorm, x));
  if (model.qk_norm) {
    const q_weight = weights.get(`${names.qNorm}.weight`);
    const k_weight = weights.get(`${names.kNorm}.weight`);
    const attrs = { ...heads, eps: model.norm_eps };
    qkv = tape.apply(qkNorm, { qkv, q_weight, k_weight }, attrs, { recompute }).y;
  }
  if (rotary) {
    const positions = inputs.get('positions');
    const table = rotary.get('table');
    const attrs = { ...heads, inverse: false };
    qkv = tape.apply(rope, { qkv, positions, table }, attrs, { recompute }).y;
  }
  return qkv;
}

/** Attributes of the dropout of attention weights. */
export function weightDropout({ model, tensor_parallel }: Forward, layer: number): Dropout {
  const site = dropoutSite(layer, 'attention');
  return { site, rate: model.dropout, heads: tensor_parallel?.heads };
}

/** Causal attention over the current tokens. */
function attend(forward: Forward, layer: number, qkv: Tensor): Tensor {
  const { tape, model, inputs, batch_size, block_size } = forward;
  const window = model.sliding_window;
  const attrs = { B: batch_size, T: block_size, ...headShape(model), window };
  if (!dropoutIsOn(forward)) return tape.apply(attention, { qkv }, attrs).y;
  const dropoutAttrs = weightDropout(forward, layer);
  const rng = inputs.get('rng');
  return tape.apply(attentionDropout, { qkv, rng }, { ...attrs, ...dropoutAttrs }).y;
}
