/**
 * Rotary position embedding (Su et al. 2021) of the q and k heads of a packed qkv, v copied.
 *
 * Pairs are (i, i + head_dim/2), the "rotate half" order of transformers' Llama, so that exported
 * weights mean the same there. Angles come from a table made once in float64: in float32 the
 * product position x frequency alone is off by 1e-4 at position 4096, and WGSL promises little for
 * sin of large arguments.
 */
import { add, concat, expandDims, gather, mul, reshape, slice, sub } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid } from '../../backend/index.ts';
import {
  defineOp,
  run,
  type Hosts,
  type OpCase,
  type OpDefinition,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { columns, type Heads } from '../heads/layout.ts';
import { at, dims2, zeros } from '../host.ts';
import { unitCode, widthOf } from '../wgsl/index.ts';
import wgsl from './rope.wgsl?raw';

export interface RopeAttrs extends Heads {
  /** Rotate by the negative angle, which is the gradient. */
  inverse: boolean;
}
type In = 'qkv' | 'positions' | 'table';

/**
 * cos and sin of position x theta^(-2i/head_dim): [length, head_dim], head_dim/2 cosines and then
 * as many sines a row.
 */
export function ropeTable(length: number, head_dim: number, theta: number): Float32Array {
  const half = head_dim / 2;
  const table = new Float32Array(length * head_dim);
  for (let i = 0; i < half; i++) {
    const frequency = theta ** (-i / half);
    for (let t = 0; t < length; t++) {
      table[t * head_dim + i] = Math.cos(t * frequency);
      table[t * head_dim + half + i] = Math.sin(t * frequency);
    }
  }
  return table;
}

function oracle({ qkv, positions, table }: Hosts<In>, a: RopeAttrs): Hosts<'y'> {
  const [n, width] = dims2(qkv.shape);
  const d = a.head_dim;
  const half = d / 2;
  const y = zeros(qkv.shape);
  y.data.set(qkv.data);
  for (let r = 0; r < n; r++)
    for (let h = 0; h < a.n_head + a.n_kv_head; h++)
      for (let i = 0; i < half; i++) {
        const row = at(positions, r) * d;
        const cos = at(table, row + i);
        const sin = at(table, row + half + i) * (a.inverse ? -1 : 1);
        const one = r * width + h * d + i;
        const two = one + half;
        y.data[one] = at(qkv, one) * cos - at(qkv, two) * sin;
        y.data[two] = at(qkv, two) * cos + at(qkv, one) * sin;
      }
  return { y };
}

function reference({ qkv, positions, table }: Tensors<In>, a: RopeAttrs): Tensors<'y'> {
  const [n, width] = dims2(qkv.shape);
  const heads = a.n_head + a.n_kv_head;
  const half = a.head_dim / 2;
  const { v0 } = columns(a);
  const angles = expandDims(gather(table, positions), 1);
  const cos = slice(angles, [0, 0, 0], [n, 1, half]);
  const sin = slice(angles, [0, 0, half], [n, 1, half]);
  const x = reshape(slice(qkv, [0, 0], [n, v0]), [n, heads, a.head_dim]);
  const one = slice(x, [0, 0, 0], [n, heads, half]);
  const two = slice(x, [0, 0, half], [n, heads, half]);
  const sign = a.inverse ? ([add, sub] as const) : ([sub, add] as const);
  const rotated = concat(
    [sign[0](mul(one, cos), mul(two, sin)), sign[1](mul(two, cos), mul(one, sin))],
    2,
  );
  return { y: concat([reshape(rotated, [n, v0]), slice(qkv, [0, v0], [n, width - v0])], 1) };
}

const ropeCase = (
  name: string,
  n: number,
  heads: Heads,
  inverse: boolean,
  theta = 10000,
): OpCase<In, RopeAttrs> => ({
  name,
  inputs: (random) => ({
    qkv: random.normal([n, columns(heads).width]),
    positions: random.ints([n], 32),
    table: random.values([32, heads.head_dim], Array.from(ropeTable(32, heads.head_dim, theta))),
  }),
  attrs: { ...heads, inverse },
});

/**
 * qkv packed (heads/layout.ts), positions int32 [N] below the table's length, table from
 * `ropeTable` -> y as qkv.
 */
export const rope: OpDefinition<In, RopeAttrs, 'y', 'qkv'> = defineOp({
  name: 'rope',
  inputs: ['qkv', 'positions', 'table'],
  outputs: ['y'],
  oracle,
  reference,
  kernel: ({ qkv, positions, table }, a) => {
    // A unit is turned with the one half a head away, so half a head is whole units.
    const unit = widthOf(a.head_dim / 2);
    const n = qkv.size / unit;
    const [, width] = dims2(qkv.shape);
    const y = activation(qkv.shape);
    dispatch({
      name: 'rope',
      code: unitCode(unit, { y, qkv }) + wgsl,
      writes: [y],
      reads: [qkv, positions, table],
      params: [
        ['u32', n],
        ['u32', width / unit],
        ['u32', columns(a).v0 / unit],
        ['u32', a.head_dim / unit],
        ['f32', a.inverse ? -1 : 1],
      ],
      workgroups: grid(Math.ceil(n / 64)),
    });
    return { y };
  },
  float16: { inputs: ['qkv'], when: (_inputs, { head_dim }) => head_dim % 8 === 0 },
  gradient: {
    saves: { inputs: ['positions', 'table'], outputs: [] },
    from: ['y'],
    to: {
      qkv: ({ inputs: { positions, table }, attrs, dy }) =>
        run(rope, { qkv: required(dy.y), positions, table }, { ...attrs, inverse: !attrs.inverse })
          .y,
    },
  },
  cases: [
    ropeCase('grouped heads', 6, { n_head: 4, n_kv_head: 2, head_dim: 4 }, false),
    ropeCase('equal heads', 5, { n_head: 2, n_kv_head: 2, head_dim: 6 }, false, 500000),
    ropeCase('inverse', 5, { n_head: 2, n_kv_head: 1, head_dim: 8 }, true),
  ],
});
