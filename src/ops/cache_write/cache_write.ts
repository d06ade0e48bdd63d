/**
 * Writes the keys and values of a packed qkv into a KV cache: one token per sequence when decoding,
 * whole prompts in prefill. Positions are read from a tensor, because a program is recorded once
 * and replayed for all positions.
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
import { dispatch, grid, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type Hosts, type OpCase, type OpDefinition, type Tensors } from '../define.ts';
import { columns, type Heads } from '../heads/layout.ts';
import { at, dims2 } from '../host.ts';
import wgsl from './cache_write.wgsl?raw';

export interface CacheWriteAttrs extends Heads {
  /** Sequences of the cache. */
  B: number;
  /** Rows of the cache per sequence. */
  T_max: number;
}
type In = 'cache' | 'qkv' | 'positions';

function oracle({ cache, qkv, positions }: Hosts<In>, attrs: CacheWriteAttrs): Hosts<'cache'> {
  const [n, width] = dims2(qkv.shape);
  const { kv, k0 } = columns(attrs);
  const data = new Float64Array(cache.data);
  const rowsPerSequence = n / attrs.B;
  for (let r = 0; r < n; r++) {
    const position = at(positions, r);
    if (position >= attrs.T_max) continue;
    const row = Math.floor(r / rowsPerSequence) * attrs.T_max + position;
    for (let i = 0; i < 2 * kv; i++) data[row * 2 * kv + i] = at(qkv, r * width + k0 + i);
  }
  return { cache: { ...cache, data } };
}

/**
 * Gathers every row of the new cache from the old rows followed by the new ones, so that values are
 * copied exactly.
 */
function reference(
  { cache, qkv, positions }: Tensors<In>,
  { B, T_max, ...attrs }: CacheWriteAttrs,
): Tensors<'cache'> {
  const [n] = dims2(qkv.shape);
  const { kv, k0 } = columns(attrs);
  const T = n / B;
  const rows = B * T_max;
  const candidates = concat([cache, slice(qkv, [0, k0], [n, 2 * kv])], 0);
  const cacheRows = reshape(range(0, T_max, 1, 'int32'), [1, T_max, 1]);
  const hits = cast(equal(cacheRows, reshape(positions, [B, 1, T])), 'float32');
  const firstNewRows = reshape(add(mul(range(0, B, 1), T), rows), [B, 1]);
  const newRows = add(cast(argMax(hits, 2), 'float32'), firstNewRows);
  const oldRows = reshape(range(0, rows, 1), [B, T_max]);
  const source = where(cast(max(hits, 2), 'bool'), newRows, oldRows);
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
 * cache [B T_max, 2 n_kv_head head_dim] (k heads | v heads), qkv packed [B T, (n_head + 2
 * n_kv_head) head_dim] with T rows per sequence, positions int32 [B T] -> cache.
 *
 * Each row has its own position, so sequences may have different lengths: rows whose position is
 * T_max or more are skipped, which is how padding is marked. No two rows of a sequence may have the
 * same position below T_max.
 *
 * Own kernels write the cache in place and return it; elsewhere a new tensor is returned
 * and the caller disposes the old one. There is no gradient.
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
  processor: ({ cache, qkv, positions }, attrs) => {
    const [n, width] = dims2(qkv.shape);
    const { kv, k0 } = columns(attrs);
    runOnProcessor({
      kernel: 'cache_write',
      writes: [],
      updates: [cache],
      reads: [qkv, positions],
      params: [
        ['i32', n],
        ['i32', 2 * kv],
        ['i32', width],
        ['i32', k0],
        ['i32', n / attrs.B],
        ['i32', attrs.T_max],
      ],
    });
    return { cache };
  },
  gradient: null,
  bench: ({ B, T, N, D, n_head, head_dim }, inputs) => [
    {
      attrs: { n_head, n_kv_head: n_head, head_dim, B, T_max: T },
      inputs: {
        qkv: inputs.normal(B, 3 * D),
        cache: inputs.normal(N, 2 * D),
        positions: inputs.int32([B], () => T - 1),
      },
    },
  ],
  cases: [
    writeCase('one token per sequence', 2, 5, [3, 0]),
    writeCase('a prompt', 1, 6, [0, 1, 2, 3]),
    writeCase('two prompts', 2, 5, [0, 1, 2, 2, 3, 4]),
    writeCase('two prompts, one skipped and one in part', 2, 5, [5, 5, 5, 3, 4, 5]),
    writeCase(
      'prompts of different lengths, padded on the right',
      3,
      4,
      [0, 1, 2, 0, 4, 4, 0, 1, 4],
    ),
  ],
});
