/**
 * Rotary position embedding (Su et al. 2021) of the q and k heads of a packed qkv; v is copied.
 *
 * Pairs are (i, i + head_dim/2), the "rotate half" order of transformers' Llama, so that exported
 * weights mean the same there. Angles come from a table computed in float64: in float32, position x
 * frequency alone has an error of 1e-4 at position 4096, and WGSL guarantees little accuracy for
 * the sine of large arguments.
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
  /** Rotates by the negative angle, which is the gradient. */
  inverse: boolean;
}
type In = 'qkv' | 'positions' | 'table';

/**
 * The table [length, head_dim]: per position, head_dim/2 cosines and then head_dim/2 sines of
 * position x frequency.
 *
 * @param frequencies head_dim/2, in radians per position
 */
export function ropeTable(length: number, frequencies: ArrayLike<number>): Float32Array {
  const half = frequencies.length;
  const table = new Float32Array(length * 2 * half);
  for (let i = 0; i < half; i++) {
    const frequency = frequencies[i] ?? NaN;
    for (let position = 0; position < length; position++) {
      table[position * 2 * half + i] = Math.cos(position * frequency);
      table[position * 2 * half + half + i] = Math.sin(position * frequency);
    }
  }
  return table;
}

function oracle({ qkv, positions, table }: Hosts<In>, attrs: RopeAttrs): Hosts<'y'> {
  const [n, width] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim, inverse } = attrs;
  const half = head_dim / 2;
  const y = zeros(qkv.shape);
  y.data.set(qkv.data);
  for (let r = 0; r < n; r++)
    for (let h = 0; h < n_head + n_kv_head; h++)
      for (let i = 0; i < half; i++) {
        const angle = at(positions, r) * head_dim + i;
        const cos = at(table, angle);
        const sin = at(table, angle + half) * (inverse ? -1 : 1);
        const first = r * width + h * head_dim + i;
        const second = first + half;
        y.data[first] = at(qkv, first) * cos - at(qkv, second) * sin;
        y.data[second] = at(qkv, second) * cos + at(qkv, first) * sin;
      }
  return { y };
}

function reference({ qkv, positions, table }: Tensors<In>, attrs: RopeAttrs): Tensors<'y'> {
  const [n, width] = dims2(qkv.shape);
  const { n_head, n_kv_head, head_dim, inverse } = attrs;
  const heads = n_head + n_kv_head;
  const half = head_dim / 2;
  const { v0 } = columns(attrs);
  const angles = expandDims(gather(table, positions), 1);
  const cos = slice(angles, [0, 0, 0], [n, 1, half]);
  const sin = slice(angles, [0, 0, half], [n, 1, half]);
  const x = reshape(slice(qkv, [0, 0], [n, v0]), [n, heads, head_dim]);
  const first = slice(x, [0, 0, 0], [n, heads, half]);
  const second = slice(x, [0, 0, half], [n, heads, half]);
  const [minus, plus] = inverse ? [add, sub] : [sub, add];
  const rotated = concat(
    [minus(mul(first, cos), mul(second, sin)), plus(mul(second, cos), mul(first, sin))],
    2,
  );
  return { y: concat([reshape(rotated, [n, v0]), slice(qkv, [0, v0], [n, width - v0])], 1) };
}

function kernel({ qkv, positions, table }: Tensors<In>, attrs: RopeAttrs): Tensors<'y'> {
  // A unit is rotated with the one half a head away, so half a head must be whole units.
  const unit = widthOf(attrs.head_dim / 2);
  const units = qkv.size / unit;
  const [, width] = dims2(qkv.shape);
  const y = activation(qkv.shape);
  dispatch({
    name: 'rope',
    code: unitCode(unit, { y, qkv }) + wgsl,
    writes: [y],
    reads: [qkv, positions, table],
    params: [
      ['u32', units],
      ['u32', width / unit],
      ['u32', columns(attrs).v0 / unit],
      ['u32', attrs.head_dim / unit],
      ['f32', attrs.inverse ? -1 : 1],
    ],
    workgroups: grid(Math.ceil(units / 64)),
  });
  return { y };
}

interface Shape {
  name: string;
  n: number;
  attrs: RopeAttrs;
  theta: number;
}
const shapes: readonly Shape[] = [
  {
    name: 'grouped heads',
    n: 6,
    attrs: { n_head: 4, n_kv_head: 2, head_dim: 4, inverse: false },
    theta: 10_000,
  },
  {
    name: 'equal heads',
    n: 5,
    attrs: { n_head: 2, n_kv_head: 2, head_dim: 6, inverse: false },
    theta: 500_000,
  },
  {
    name: 'inverse',
    n: 5,
    attrs: { n_head: 2, n_kv_head: 1, head_dim: 8, inverse: true },
    theta: 10_000,
  },
];

const frequencies = ({ head_dim }: RopeAttrs, theta: number): number[] =>
  Array.from({ length: head_dim / 2 }, (_, i) => theta ** ((-2 * i) / head_dim));

/**
 * qkv packed (heads/layout.ts) [N, (n_head + 2 n_kv_head) head_dim], positions int32 [N] below the
 * table's length, table from `ropeTable` [length, head_dim] -> y, laid out as qkv.
 */
export const rope: OpDefinition<In, RopeAttrs, 'y', 'qkv'> = defineOp({
  name: 'rope',
  inputs: ['qkv', 'positions', 'table'],
  outputs: ['y'],
  oracle,
  reference,
  kernel,
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
  bench: ({ T, N, D, n_head, head_dim }, inputs) => [
    {
      attrs: { n_head, n_kv_head: n_head, head_dim, inverse: false },
      inputs: {
        qkv: inputs.normal(N, 3 * D),
        positions: inputs.int32([N], (i) => i % T),
        table: inputs.normal(T, head_dim),
      },
    },
  ],
  cases: shapes.map(({ name, n, attrs, theta }): OpCase<In, RopeAttrs> => ({
    name,
    attrs,
    inputs: (random) => ({
      qkv: random.normal([n, columns(attrs).width]),
      positions: random.ints([n], 32),
      table: random.values([32, attrs.head_dim], [...ropeTable(32, frequencies(attrs, theta))]),
    }),
  })),
});
