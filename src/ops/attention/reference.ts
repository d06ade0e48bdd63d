/**
 * Causal attention and its gradient in tfjs ops, with the [T, T] matrix in memory. The query heads
 * of a group are stacked along the rows of their key/value head's matrix product, so that nothing
 * is expanded and matMul broadcasts no batch dimension (tfjs returns unreduced gradients there).
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
  tile,
  transpose,
} from '@tensorflow/tfjs-core';
import type { Tensors } from '../define.ts';
import { columns, groupSize } from '../heads/layout.ts';
import type { AttentionAttrs } from './attrs.ts';

/**
 * Added to masked scores. -1e9 breaks softmax on some WebGL drivers; masked weights are multiplied
 * by 0 as well.
 */
const MASKED = -1e4;

export interface ReferenceOptions {
  /** Factors of dropout [B n_head, T, T]: 0 or 1/(1-p). */
  keep?: Tensor;
  /** int32 [B T], as in `attention_documents`. */
  document_starts?: Tensor;
}

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
/** [N, n_head head_dim] -> [B n_kv_head, group T, head_dim]. */
const stack = (x: Tensor, attrs: AttentionAttrs): Tensor =>
  reshape(split(x, attrs.n_head, attrs), [
    attrs.B * attrs.n_kv_head,
    groupSize(attrs) * attrs.T,
    attrs.head_dim,
  ]);

/** Queries stacked by group, keys and values as [B n_kv_head, T, head_dim]. */
function parts(qkv: Tensor, attrs: AttentionAttrs): { q: Tensor; k: Tensor; v: Tensor } {
  const { B, T, n_kv_head, head_dim } = attrs;
  const { q, kv, k0, v0 } = columns(attrs);
  const part = (start: number, width: number): Tensor => slice(qkv, [0, start], [B * T, width]);
  const shape = [B * n_kv_head, T, head_dim];
  return {
    q: stack(part(0, q), attrs),
    k: reshape(split(part(k0, kv), n_kv_head, attrs), shape),
    v: reshape(split(part(v0, kv), n_kv_head, attrs), shape),
  };
}

/** 1 where query i attends to key j: [T, T], or [B n_head, T, T] with documents. */
function visible(
  { B, T, n_head, window }: AttentionAttrs,
  document_starts: Tensor | undefined,
): Tensor {
  const i = reshape(range(0, T, 1), [T, 1]);
  const j = reshape(range(0, T, 1), [1, T]);
  const causal = greaterEqual(i, j);
  const inWindow = window > 0 ? logicalAnd(causal, greater(j, sub(i, window))) : causal;
  if (!document_starts) return cast(inWindow, 'float32');
  const starts = reshape(cast(document_starts, 'float32'), [B, 1, T, 1]);
  const inDocument = greaterEqual(reshape(j, [1, 1, 1, T]), starts);
  const mask = mul(cast(inWindow, 'float32'), cast(inDocument, 'float32'));
  return reshape(tile(mask, [1, n_head, 1, 1]), [B * n_head, T, T]);
}

/** Scaled scores as [B n_head, T, T], masked ones pushed down. */
function scores(q: Tensor, k: Tensor, mask: Tensor, attrs: AttentionAttrs): Tensor {
  const { B, T, n_head, head_dim } = attrs;
  const products = matMul(mul(q, scalar(1 / Math.sqrt(head_dim))), k, false, true);
  const s = reshape(products, [B * n_head, T, T]);
  return add(mul(s, mask), mul(sub(1, mask), MASKED));
}
const grouped = (p: Tensor, attrs: AttentionAttrs): Tensor =>
  reshape(p, [attrs.B * attrs.n_kv_head, groupSize(attrs) * attrs.T, attrs.T]);

export function attentionReference(
  qkv: Tensor,
  attrs: AttentionAttrs,
  { keep, document_starts }: ReferenceOptions = {},
): Tensors<'y' | 'lse'> {
  const { q, k, v } = parts(qkv, attrs);
  const mask = visible(attrs, document_starts);
  const s = scores(q, k, mask, attrs);
  const top = max(s, 2, true);
  const e = mul(exp(sub(s, top)), mask);
  const total = sum(e, 2, true);
  const p = div(e, total);
  const y = matMul(grouped(keep ? mul(p, keep) : p, attrs), v);
  return {
    y: merge(y, attrs.n_head, attrs),
    lse: reshape(add(top, log(total)), [attrs.B, attrs.n_head, attrs.T]),
  };
}

export function attentionGradReference(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  attrs: AttentionAttrs,
  { keep, document_starts }: ReferenceOptions = {},
): Tensors<'dqkv'> {
  const { B, T, n_head, n_kv_head, head_dim } = attrs;
  const { q, k, v } = parts(qkv, attrs);
  const mask = visible(attrs, document_starts);
  const rows = [B * n_head, T, 1];
  const p = mul(exp(sub(scores(q, k, mask, attrs), reshape(lse, rows))), mask);
  const g = stack(dy, attrs);
  const delta = reshape(sum(mul(g, stack(y, attrs)), 2), rows);
  const dp = reshape(matMul(g, v, false, true), [B * n_head, T, T]);
  const kept = keep ? mul(dp, keep) : dp;
  const ds = grouped(mul(mul(p, sub(kept, delta)), scalar(1 / Math.sqrt(head_dim))), attrs);
  const dv = matMul(grouped(keep ? mul(p, keep) : p, attrs), g, true, false);
  const dq = matMul(ds, k);
  const dk = matMul(ds, q, true, false);
  return {
    dqkv: concat(
      [merge(dq, n_head, attrs), merge(dk, n_kv_head, attrs), merge(dv, n_kv_head, attrs)],
      1,
    ),
  };
}
