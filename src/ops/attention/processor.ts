/**
 * Attention on the processor (`assembly/attention.ts`, `assembly/attention_grad.ts`). Its kernels
 * take heads whose size is a multiple of eight: others are extended by zeros, and results are cut.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { output, type Param, runOnProcessor } from '../../backend/index.ts';
import { dropThreshold } from '../dropout/mask.ts';
import { implement, type Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import { attention, attentionGrad } from './attention.ts';
import { attentionDropout, attentionDropoutGrad } from './attention_dropout.ts';
import type { AttentionAttrs } from './attrs.ts';
import type { AttentionOptions } from './options.ts';

/** Size of a head in the kernels. */
const paddedDim = (head_dim: number): number => Math.ceil(head_dim / 8) * 8;

/** x [rows, heads from] -> [rows, heads to]; x itself if heads keep their size. */
function resizeHeads(x: Tensor, from: number, to: number): Tensor {
  if (from === to) return x;
  const [rows = 1, width = 1] = x.shape;
  const y = output([rows, (width / from) * to]);
  runOnProcessor({
    kernel: 'resize_heads',
    writes: [y],
    reads: [x],
    params: [
      ['i32', x.size / from],
      ['i32', to],
      ['i32', from],
    ],
  });
  return y;
}

/** `resizeHeads`, which disposes x if it returns another tensor. */
function cutHeads(x: Tensor, from: number, to: number): Tensor {
  const y = resizeHeads(x, from, to);
  if (y !== x) x.dispose();
  return y;
}

function shapeParams(attrs: AttentionAttrs, { drop }: AttentionOptions): Param[] {
  return [
    ['i32', attrs.B],
    ['i32', attrs.T],
    ['i32', attrs.n_head],
    ['i32', attrs.n_kv_head],
    ['i32', paddedDim(attrs.head_dim)],
    ['i32', attrs.window],
    ['f32', 1 / Math.sqrt(attrs.head_dim)],
    ['u32', drop?.site ?? 0],
    ['u32', drop ? dropThreshold(drop.rate) : 0],
    ['f32', drop ? 1 / (1 - drop.rate) : 1],
    ['i32', drop?.heads?.count ?? attrs.n_head],
    ['i32', drop?.heads?.first ?? 0],
  ];
}

/** y [B T, n_head head_dim] and lse [B, n_head, T] of packed qkv, as `attentionKernel`. */
export function attentionOnProcessor(
  qkv: Tensor,
  attrs: AttentionAttrs,
  options: AttentionOptions = {},
): Tensors<'y' | 'lse'> {
  const { B, T, n_head, head_dim } = attrs;
  const dim = paddedDim(head_dim);
  const heads = resizeHeads(qkv, head_dim, dim);
  const y = output([B * T, n_head * dim]);
  const lse = output([B, n_head, T]);
  runOnProcessor({
    kernel: 'attention',
    writes: [y, lse],
    reads: [heads, options.drop?.rng, options.document_starts],
    params: shapeParams(attrs, options),
  });
  if (heads !== qkv) heads.dispose();
  return { y: cutHeads(y, dim, head_dim), lse };
}

/** Chunks that a gradient is cut into, at least, where keys are many enough. */
const LEAST_CHUNKS = 16;
/** Bounds of the keys of a part. The scratch memory of the kernel suffices for the larger one. */
const LEAST_KEYS = 64;
const MOST_KEYS = 4096;

/** Keys whose gradients one chunk computes: all of them, unless heads are few. */
function keysOfPart({ B, T, n_kv_head }: AttentionAttrs): number {
  const parts = Math.ceil(LEAST_CHUNKS / (B * n_kv_head));
  const keys = Math.ceil(T / parts / LEAST_KEYS) * LEAST_KEYS;
  return Math.min(MOST_KEYS, keys);
}

/** dqkv, laid out as qkv, as `attentionGradKernel`. */
export function attentionGradOnProcessor(
  inputs: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  attrs: AttentionAttrs,
  options: AttentionOptions = {},
): Tensors<'dqkv'> {
  const { head_dim } = attrs;
  const dim = paddedDim(head_dim);
  const qkv = resizeHeads(inputs.qkv, head_dim, dim);
  const y = resizeHeads(inputs.y, head_dim, dim);
  const dy = resizeHeads(inputs.dy, head_dim, dim);
  const dqkv = output(qkv.shape);
  const keys = keysOfPart(attrs);
  const parts = Math.ceil(attrs.T / keys);
  const partials =
    parts > 1 ? output([parts, attrs.B * attrs.T, columns({ ...attrs, head_dim: dim }).q]) : null;
  runOnProcessor({
    kernel: partials ? 'attention_grad_parts' : 'attention_grad',
    writes: partials ? [dqkv, partials] : [dqkv],
    reads: [qkv, y, inputs.lse, dy, options.drop?.rng, options.document_starts],
    params: [...shapeParams(attrs, options), ['i32', keys]],
  });
  partials?.dispose();
  if (dim !== head_dim) for (const extended of [qkv, y, dy]) extended.dispose();
  return { dqkv: cutHeads(dqkv, dim, head_dim) };
}

implement(attention, ({ qkv }, attrs) => attentionOnProcessor(qkv, attrs));
implement(attentionGrad, (inputs, attrs) => attentionGradOnProcessor(inputs, attrs));
implement(attentionDropout, ({ qkv, rng }, attrs) =>
  attentionOnProcessor(qkv, attrs, { drop: { ...attrs, rng } }),
);
implement(attentionDropoutGrad, ({ rng, ...inputs }, attrs) =>
  attentionGradOnProcessor(inputs, attrs, { drop: { ...attrs, rng } }),
);
