/**
 * Attention of one new token a sequence over a KV cache, which it extends: what generation runs at
 * every step.
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

export interface AttentionDecodeAttrs extends Heads {
  /** Sequences. */
  B: number;
  /** Rows of the cache a sequence. */
  T_max: number;
  /** As in `attention`. */
  window: number;
}
type In = 'qkv' | 'cache' | 'positions';

function oracle(
  { qkv, cache: before, positions }: Hosts<In>,
  a: AttentionDecodeAttrs,
): Hosts<'y' | 'cache'> {
  const { cache } = cacheWrite.oracle({ cache: before, qkv, positions }, a);
  const { width, q, kv } = columns(a);
  const d = a.head_dim;
  const y = zeros([a.B, q]);
  for (let b = 0; b < a.B; b++)
    for (let h = 0; h < a.n_head; h++) {
      const i = at(positions, b);
      const first = a.window > 0 ? Math.max(0, i - a.window + 1) : 0;
      const head = Math.floor(h / groupSize(a)) * d;
      const weights: number[] = [];
      for (let j = first; j <= i; j++) {
        let s = 0;
        for (let c = 0; c < d; c++)
          s += at(qkv, b * width + h * d + c) * at(cache, (b * a.T_max + j) * 2 * kv + head + c);
        weights.push(s / Math.sqrt(d));
      }
      const top = Math.max(...weights);
      const e = weights.map((s) => Math.exp(s - top));
      const total = e.reduce((x, w) => x + w, 0);
      e.forEach((w, n) => {
        for (let c = 0; c < d; c++) {
          const to = b * q + h * d + c;
          y.data[to] =
            at(y, to) + (w / total) * at(cache, (b * a.T_max + first + n) * 2 * kv + kv + head + c);
        }
      });
    }
  return { y, cache };
}

function reference(
  { qkv, cache: before, positions }: Tensors<In>,
  a: AttentionDecodeAttrs,
): Tensors<'y' | 'cache'> {
  const { cache } = cacheWrite.reference({ cache: before, qkv, positions }, a);
  const { q, kv } = columns(a);
  const { B, T_max, n_kv_head, head_dim: d } = a;
  const group = groupSize(a);
  const part = (start: number): Tensor =>
    reshape(
      transpose(
        reshape(slice(cache, [0, start], [B * T_max, kv]), [B, T_max, n_kv_head, d]),
        [0, 2, 1, 3],
      ),
      [B * n_kv_head, T_max, d],
    );
  const queries = reshape(slice(qkv, [0, 0], [B, q]), [B * n_kv_head, group, d]);
  const j = reshape(range(0, T_max, 1), [1, T_max]);
  const i = reshape(cast(positions, 'float32'), [B, 1]);
  const seen = lessEqual(j, i);
  const mask = reshape(
    cast(a.window > 0 ? logicalAnd(seen, greater(j, sub(i, a.window))) : seen, 'float32'),
    [B, 1, T_max],
  );
  const raw = reshape(matMul(mul(queries, scalar(1 / Math.sqrt(d))), part(0), false, true), [
    B,
    a.n_head,
    T_max,
  ]);
  // As in the reference of `attention`: no -1e9, and masked weights exactly 0.
  const s = add(mul(raw, mask), mul(sub(1, mask), -1e4));
  const e = mul(exp(sub(s, max(s, 2, true))), mask);
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
 * qkv packed (heads/layout.ts) [B, ...], cache [B T_max, 2 n_kv_head head_dim], positions int32 [B]
 * of the new tokens -> y [B, n_head head_dim], and the cache with the new keys and values at their
 * positions (each below T_max). Rows of the cache after a position are not seen, whatever they
 * hold, as long as it is finite. On WebGPU the cache is written in place and comes back itself;
 * elsewhere a new tensor comes back and the caller disposes the old one. It has no gradient.
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
    gradient: null,
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
        'head_dim 128',
        { B: 1, T_max: 9, n_head: 2, n_kv_head: 1, head_dim: 128, window: 0 },
        [8],
      ),
    ],
  });
