/**
 * Writes the keys and values of a packed qkv into a KV cache, at positions read from a tensor (a
 * program is recorded once and replayed, so the position may not sit in a uniform). One token a
 * sequence when decoding, a whole prompt in prefill.
 */
import {
  add,
  argMax,
  cast,
  concat,
  equal,
  gather,
  max,
  mul,
  range,
  reshape,
  slice,
  where,
} from '@tensorflow/tfjs-core';
import { dispatch, grid } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type OpDefinition, type Tensors } from '../define.ts';
import { columns, type Heads } from '../heads/layout.ts';
import { at, dims2 } from '../host.ts';
import wgsl from './cache_write.wgsl?raw';

export interface CacheWriteAttrs extends Heads {
  /** Sequences of the cache. */
  B: number;
  /** Rows of the cache a sequence. */
  T_max: number;
}
type In = 'cache' | 'qkv' | 'positions';

function oracle({ cache, qkv, positions }: Hosts<In>, a: CacheWriteAttrs): Hosts<'cache'> {
  const [n, width] = dims2(qkv.shape);
  const { kv, k0 } = columns(a);
  const data = new Float64Array(cache.data);
  const perSequence = n / a.B;
  for (let r = 0; r < n; r++) {
    const row = Math.floor(r / perSequence) * a.T_max + at(positions, r);
    if (at(positions, r) >= a.T_max) continue;
    for (let i = 0; i < 2 * kv; i++) data[row * 2 * kv + i] = at(qkv, r * width + k0 + i);
  }
  return { cache: { ...cache, data } };
}

/**
 * Every row of the new cache is picked from the old rows followed by the new ones, so values are
 * copied exactly.
 */
function reference({ cache, qkv, positions }: Tensors<In>, a: CacheWriteAttrs): Tensors<'cache'> {
  const [n] = dims2(qkv.shape);
  const { kv, k0 } = columns(a);
  const T = n / a.B;
  const rows = a.B * a.T_max;
  const candidates = concat([cache, slice(qkv, [0, k0], [n, 2 * kv])], 0);
  const hits = cast(
    equal(reshape(range(0, a.T_max, 1, 'int32'), [1, a.T_max, 1]), reshape(positions, [a.B, 1, T])),
    'float32',
  );
  const fresh = add(
    cast(argMax(hits, 2), 'float32'),
    reshape(add(mul(range(0, a.B, 1), T), rows), [a.B, 1]),
  );
  const old = reshape(range(0, rows, 1), [a.B, a.T_max]);
  const source = where(cast(max(hits, 2), 'bool'), fresh, old);
  return { cache: gather(candidates, cast(reshape(source, [rows]), 'int32')) };
}

const heads = { n_head: 4, n_kv_head: 2, head_dim: 3 };
const writeCase = (
  name: string,
  B: number,
  T_max: number,
  positions: readonly number[],
): OpCase<In, CacheWriteAttrs> => ({
  name,
  inputs: (random) => ({
    cache: random.normal([B * T_max, 2 * columns(heads).kv]),
    qkv: random.normal([positions.length, columns(heads).width]),
    positions: random.values([positions.length], positions, 'int32'),
  }),
  attrs: { ...heads, B, T_max },
});

/**
 * cache [B T_max, 2 n_kv_head head_dim] (k heads | v heads), qkv packed [B T, ...] with T rows a
 * sequence, positions int32 [B T] (no two of a sequence equal; a row at T_max or beyond is left
 * out) -> cache. On WebGPU the cache is written in place and comes back itself; elsewhere a new
 * tensor comes back and the caller disposes the old one. It has no gradient.
 */
export const cacheWrite: OpDefinition<In, CacheWriteAttrs, 'cache', never> = defineOp({
  name: 'cache_write',
  inputs: ['cache', 'qkv', 'positions'],
  outputs: ['cache'],
  oracle,
  reference,
  kernel: ({ cache, qkv, positions }, a) => {
    const [n, width] = dims2(qkv.shape);
    const { kv, k0 } = columns(a);
    dispatch({
      name: 'cache_write',
      code: wgsl,
      writes: [],
      updates: [cache],
      reads: [qkv, positions],
      params: [
        ['u32', n * 2 * kv],
        ['u32', 2 * kv],
        ['u32', width],
        ['u32', k0],
        ['u32', n / a.B],
        ['u32', a.T_max],
      ],
      workgroups: grid(Math.ceil((n * 2 * kv) / 64)),
    });
    return { cache };
  },
  gradient: null,
  cases: [
    writeCase('one token a sequence', 2, 5, [3, 0]),
    writeCase('a prompt', 1, 6, [0, 1, 2, 3]),
    writeCase('two prompts', 2, 5, [0, 1, 2, 2, 3, 4]),
    writeCase(
      'two prompts, one of them and a part of the other left out',
      2,
      5,
      [5, 5, 5, 3, 4, 5],
    ),
  ],
});
