/**
 * Causal attention and its gradient in tfjs ops, with the [T, T] matrix in memory. Query heads of
 * one group are stacked along the rows of their key/value head's product, so that nothing is
 * expanded and no batch is broadcast (tfjs returns unreduced gradients there).
 */
import {
  add,
  cast,
  concat,
  div,
  exp,
  greater,
  greaterEqual,
  log,
  logicalAnd,
  matMul,
  max,
  mul,
  range,
  reshape,
  scalar,
  slice,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Tensors } from '../define.ts';
import { columns, groupSize } from '../heads/layout.ts';
import type { AttentionAttrs } from './attrs.ts';

/**
 * Added to masked scores. -1e9 breaks softmax on some WebGL drivers; the masked weights are also
 * multiplied by 0.
 */
const MASKED = -1e4;

/** [N, heads head_dim] -> [B, heads, T, head_dim]. */
function split(x: Tensor, heads: number, { B, T, head_dim }: AttentionAttrs): Tensor {
  return transpose(reshape(x, [B, T, heads, head_dim]), [0, 2, 1, 3]);
}
/** The inverse of `split`. */
function merge(x: Tensor, heads: number, { B, T, head_dim }: AttentionAttrs): Tensor {
  return reshape(transpose(reshape(x, [B, heads, T, head_dim]), [0, 2, 1, 3]), [
    B * T,
    heads * head_dim,
  ]);
}

/**
 * q and dy-like tensors stacked by group [B n_kv_head, group T, head_dim]; keys and values [B
 * n_kv_head, T, head_dim].
 */
function parts(qkv: Tensor, a: AttentionAttrs): { q: Tensor; k: Tensor; v: Tensor } {
  const { q, kv, k0, v0 } = columns(a);
  const n = a.B * a.T;
  const one = [a.B * a.n_kv_head, a.T, a.head_dim];
  return {
    q: stack(slice(qkv, [0, 0], [n, q]), a),
    k: reshape(split(slice(qkv, [0, k0], [n, kv]), a.n_kv_head, a), one),
    v: reshape(split(slice(qkv, [0, v0], [n, kv]), a.n_kv_head, a), one),
  };
}
const stack = (x: Tensor, a: AttentionAttrs): Tensor =>
  reshape(split(x, a.n_head, a), [a.B * a.n_kv_head, groupSize(a) * a.T, a.head_dim]);

/** 1 where query i sees key j: i - window < j <= i. */
function visible({ T, window }: AttentionAttrs): Tensor {
  const i = reshape(range(0, T, 1), [T, 1]);
  const j = reshape(range(0, T, 1), [1, T]);
  const causal = greaterEqual(i, j);
  return cast(window > 0 ? logicalAnd(causal, greater(j, sub(i, window))) : causal, 'float32');
}

/** Scaled scores as [B n_head, T, T], masked ones pushed down. */
function scores(q: Tensor, k: Tensor, mask: Tensor, a: AttentionAttrs): Tensor {
  const s = reshape(matMul(mul(q, scalar(1 / Math.sqrt(a.head_dim))), k, false, true), [
    a.B * a.n_head,
    a.T,
    a.T,
  ]);
  return add(mul(s, mask), mul(sub(1, mask), MASKED));
}
const grouped = (p: Tensor, a: AttentionAttrs): Tensor =>
  reshape(p, [a.B * a.n_kv_head, groupSize(a) * a.T, a.T]);

/** `keep`: dropout's weights [B n_head, T, T], 0 or 1/(1-p). */
export function attentionReference(
  qkv: Tensor,
  a: AttentionAttrs,
  keep?: Tensor,
): Tensors<'y' | 'lse'> {
  const { q, k, v } = parts(qkv, a);
  const mask = visible(a);
  const s = scores(q, k, mask, a);
  const top = max(s, 2, true);
  const e = mul(exp(sub(s, top)), mask);
  const total = sum(e, 2, true);
  const p = div(e, total);
  const lse = reshape(add(top, log(total)), [a.B, a.n_head, a.T]);
  return { y: merge(matMul(grouped(keep ? mul(p, keep) : p, a), v), a.n_head, a), lse };
}

export function attentionGradReference(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  a: AttentionAttrs,
  keep?: Tensor,
): Tensors<'dqkv'> {
  const { q, k, v } = parts(qkv, a);
  const mask = visible(a);
  const rows = [a.B * a.n_head, a.T, 1];
  const p = mul(exp(sub(scores(q, k, mask, a), reshape(lse, rows))), mask);
  const g = stack(dy, a);
  const delta = reshape(sum(mul(g, stack(y, a)), 2), rows);
  const dp = reshape(matMul(g, v, false, true), [a.B * a.n_head, a.T, a.T]);
  const ds = mul(mul(p, sub(keep ? mul(dp, keep) : dp, delta)), scalar(1 / Math.sqrt(a.head_dim)));
  const dv = matMul(grouped(keep ? mul(p, keep) : p, a), g, true, false);
  const dq = matMul(grouped(ds, a), k);
  const dk = matMul(grouped(ds, a), q, true, false);
  return {
    dqkv: concat([merge(dq, a.n_head, a), merge(dk, a.n_kv_head, a), merge(dv, a.n_kv_head, a)], 1),
  };
}
