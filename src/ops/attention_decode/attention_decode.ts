/**
 * Attention of one new token per sequence over a KV cache, which it extends: every layer runs it in
 * each decoding step.
 */
import {
  add,
  cast,
  exp,
  div,
  greater,
  lessEqual,
  logicalAnd,
  matMul,
  max,
  minimum,
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
import { cacheWrite } from '../cache_write/cache_write.ts';
import { defineOp, type Hosts, type OpCase, type OpDefinition, type Tensors } from '../define.ts';
import { columns, groupSize, type Heads } from '../heads/layout.ts';
import { at, zeros } from '../host.ts';
import { attentionDecodeKernel } from './kernel.ts';
import { attentionDecodeOnProcessor } from './processor.ts';

export interface AttentionDecodeAttrs extends Heads {
  /** Sequences. */
  B: number;
  /** Rows of the cache per sequence. */
  T_max: number;
  /** As in `attention`. */
  window: number;
}
type In = 'qkv' | 'cache' | 'positions';

/** Rows of the cache that a sequence attends to. */
function visibleRows(
  position: number,
  attrs: AttentionDecodeAttrs,
): { first: number; end: number } {
  const end = Math.min(position + 1, attrs.T_max);
  return { first: attrs.window > 0 ? Math.max(0, end - attrs.window) : 0, end };
}

/** Softmax of the scores. */
function softmax(scores: readonly number[]): number[] {
  const top = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - top));
  const total = exponentials.reduce((sum, e) => sum + e, 0);
  return exponentials.map((e) => e / total);
}

function oracle(
  { qkv, cache: before, positions }: Hosts<In>,
  attrs: AttentionDecodeAttrs,
): Hosts<'y' | 'cache'> {
  const { cache } = cacheWrite.oracle({ cache: before, qkv, positions }, attrs);
  const { width, q, kv } = columns(attrs);
  const { B, T_max, n_head, head_dim: d } = attrs;
  const y = zeros([B, q]);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < n_head; h++) {
      const { first, end } = visibleRows(at(positions, b), attrs);
      const head = Math.floor(h / groupSize(attrs)) * d;
      const keyOf = (row: number): number => (b * T_max + row) * 2 * kv + head;
      const scores: number[] = [];
      for (let row = first; row < end; row++) {
        let score = 0;
        for (let c = 0; c < d; c++)
          score += at(qkv, b * width + h * d + c) * at(cache, keyOf(row) + c);
        scores.push(score / Math.sqrt(d));
      }
      softmax(scores).forEach((weight, n) => {
        const value = keyOf(first + n) + kv;
        for (let c = 0; c < d; c++) {
          const to = b * q + h * d + c;
          y.data[to] = at(y, to) + weight * at(cache, value + c);
        }
      });
    }
  return { y, cache };
}

/** 1 for the rows of the cache that each sequence attends to, else 0: [B, 1, T_max]. */
function visibleMask(positions: Tensor, { B, T_max, window }: AttentionDecodeAttrs): Tensor {
  const row = reshape(range(0, T_max, 1), [1, T_max]);
  const last = minimum(reshape(cast(positions, 'float32'), [B, 1]), T_max - 1);
  const seen = lessEqual(row, last);
  const inWindow = window > 0 ? logicalAnd(seen, greater(row, sub(last, window))) : seen;
  return reshape(cast(inWindow, 'float32'), [B, 1, T_max]);
}

function reference(
  { qkv, cache: before, positions }: Tensors<In>,
  attrs: AttentionDecodeAttrs,
): Tensors<'y' | 'cache'> {
  const { cache } = cacheWrite.reference({ cache: before, qkv, positions }, attrs);
  const { q, kv } = columns(attrs);
  const { B, T_max, n_head, n_kv_head, head_dim: d } = attrs;
  const group = groupSize(attrs);
  const part = (start: number): Tensor => {
    const rows = reshape(slice(cache, [0, start], [B * T_max, kv]), [B, T_max, n_kv_head, d]);
    return reshape(transpose(rows, [0, 2, 1, 3]), [B * n_kv_head, T_max, d]);
  };
  const queries = reshape(slice(qkv, [0, 0], [B, q]), [B * n_kv_head, group, d]);
  const mask = visibleMask(positions, attrs);
  const products = matMul(mul(queries, scalar(1 / Math.sqrt(d))), part(0), false, true);
  // As in the reference of `attention`: no -1e9, and masked weights are exactly 0.
  const scores = add(mul(reshape(products, [B, n_head, T_max]), mask), mul(sub(1, mask), -1e4));
  const e = mul(exp(sub(scores, max(scores, 2, true))), mask);
  const p = reshape(div(e, sum(e, 2, true)), [B * n_kv_head, group, T_max]);
  return { y: reshape(matMul(p, part(kv)), [B, q]), cache };
}

const decodeCase = (
  name: string,
  attrs: AttentionDecodeAttrs,
  positions: readonly number[],
): OpCase<In, AttentionDecodeAttrs> => ({
  name,
  attrs,
  inputs: (random) => ({
    qkv: random.normal([attrs.B, columns(attrs).width]),
    cache: random.normal([attrs.B * attrs.T_max, 2 * columns(attrs).kv]),
    positions: random.values([attrs.B], positions, 'int32'),
  }),
});

/**
 * qkv packed (heads/layout.ts) [B, (n_head + 2 n_kv_head) head_dim], cache [B T_max, 2 n_kv_head
 * head_dim], positions int32 [B] of the new tokens -> y [B, n_head head_dim], and the cache with
 * the new keys and values at their positions.
 *
 * Each sequence has its own length: its new token attends to the rows 0 to positions[b] of its part
 * of the cache (those inside the window), so positions[b] + 1 is its length after the step. Later
 * rows are ignored, whatever finite values they hold: prompts of a batch may be padded on the right
 * (`cache_write` skips padding rows). A position of T_max or more marks an idle sequence, as in a
 * batch with fewer prompts than rows: nothing is written, and its y is finite but meaningless.
 *
 * Own kernels write the cache in place and return it; elsewhere a new tensor is returned
 * and the caller disposes the old one. There is no gradient.
 */
export const attentionDecode: OpDefinition<In, AttentionDecodeAttrs, 'y' | 'cache', never> =
  defineOp({
    name: 'attention_decode',
    inputs: ['qkv', 'cache', 'positions'],
    outputs: ['y', 'cache'],
    oracle,
    reference,
    kernel: ({ qkv, cache, positions }, a) => ({
      y: attentionDecodeKernel(qkv, cache, positions, a),
      cache,
    }),
    processor: ({ qkv, cache, positions }, attrs) => ({
      y: attentionDecodeOnProcessor({ qkv, cache, positions }, attrs),
      cache,
    }),
    gradient: null,
    bench: ({ B, T, N, D, n_head, head_dim }, inputs) => [
      {
        attrs: { n_head, n_kv_head: n_head, head_dim, B, T_max: T, window: 0 },
        inputs: {
          qkv: inputs.normal(B, 3 * D),
          cache: inputs.normal(N, 2 * D),
          positions: inputs.int32([B], () => T - 1),
        },
      },
    ],
    cases: [
      decodeCase(
        'equal heads',
        { B: 2, T_max: 6, n_head: 2, n_kv_head: 2, head_dim: 4, window: 0 },
        [5, 0],
      ),
      decodeCase(
        'grouped heads, odd head_dim',
        { B: 2, T_max: 7, n_head: 4, n_kv_head: 2, head_dim: 5, window: 0 },
        [3, 6],
      ),
      decodeCase(
        'window',
        { B: 2, T_max: 9, n_head: 2, n_kv_head: 1, head_dim: 4, window: 3 },
        [7, 1],
      ),
      decodeCase(
        'head_dim above 64',
        { B: 1, T_max: 3, n_head: 1, n_kv_head: 1, head_dim: 70, window: 0 },
        [2],
      ),
      decodeCase(
        'keys for all threads of a large workgroup',
        { B: 1, T_max: 150, n_head: 2, n_kv_head: 1, head_dim: 4, window: 0 },
        [140],
      ),
      decodeCase(
        'longer than a workgroup',
        { B: 2, T_max: 300, n_head: 2, n_kv_head: 1, head_dim: 8, window: 0 },
        [299, 256],
      ),
      decodeCase(
        'longer than a workgroup, window',
        { B: 1, T_max: 600, n_head: 2, n_kv_head: 2, head_dim: 3, window: 500 },
        [550],
      ),
      decodeCase(
        'a length per sequence, an idle sequence',
        { B: 4, T_max: 7, n_head: 2, n_kv_head: 1, head_dim: 4, window: 0 },
        [0, 7, 6, 3],
      ),
      decodeCase(
        'a length per sequence, an idle sequence, window',
        { B: 3, T_max: 7, n_head: 2, n_kv_head: 1, head_dim: 4, window: 3 },
        [1, 9, 5],
      ),
      decodeCase(
        'head_dim 128',
        { B: 1, T_max: 9, n_head: 2, n_kv_head: 1, head_dim: 128, window: 0 },
        [8],
      ),
    ],
  });
