/**
 * Multiplication by a number that the program knows when it is compiled: alpha / r of LoRA, or one
 * over the temperature of the logits that RL compares.
 */
import { mul, type Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { defineOp, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { ELEMENTWISE, unitCode, widthOf } from '../wgsl/index.ts';
import code from './scale.wgsl?raw';

export interface ScaleAttrs {
  factor: number;
}

/** x of any shape -> y = factor x, of the same shape. */
export const scale: OpDefinition<'x', ScaleAttrs, 'y', 'x'> = defineOp({
  name: 'scale',
  inputs: ['x'],
  outputs: ['y'],
  oracle: ({ x }, { factor }: ScaleAttrs) => {
    const y = zeros(x.shape);
    for (let i = 0; i < y.data.length; i++) y.data[i] = factor * at(x, i);
    return { y };
  },
  reference: ({ x }, { factor }) => ({ y: mul(x, factor) }),
  kernel: ({ x }, { factor }, { y }) => ({ y: scaleKernel(x, factor, y) }),
  processor: ({ x }, { factor }, { y: into }) => {
    const y = into ?? output(x.shape);
    runOnProcessor({
      kernel: 'scale',
      writes: into ? [] : [y],
      updates: into ? [into] : [],
      reads: [x],
      params: [
        ['i32', x.size],
        ['f32', factor],
        ['i32', into ? 1 : 0],
      ],
    });
    return { y };
  },
  accumulates: ['y'],
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: [], outputs: [] },
    from: ['y'],
    to: {
      x: ({ attrs, dy, into }) =>
        run(scale, { x: required(dy.y) }, attrs, into.x ? { y: into.x } : {}).y,
    },
  },
  bench: ({ N, D }, inputs) => [{ attrs: { factor: 2 }, inputs: { x: inputs.normal(N, D) } }],
  cases: [
    {
      name: '5x7',
      attrs: { factor: 1 / 0.7 },
      inputs: (random) => ({ x: random.normal([5, 7]) }),
    },
    {
      name: '3x8 by a negative factor',
      attrs: { factor: -2 },
      inputs: (random) => ({ x: random.normal([3, 8]) }),
    },
  ],
});

function scaleKernel(x: Tensor, factor: number, into: Tensor | undefined): Tensor {
  const y = into ?? activation(x.shape);
  const width = widthOf(x.size);
  const size = x.size / width;
  dispatch({
    name: 'scale',
    code: unitCode(width, { y, x }) + code,
    constants: { ADD: into ? 1 : 0 },
    writes: into ? [] : [y],
    updates: into ? [into] : [],
    reads: [x],
    params: [
      ['u32', size],
      ['f32', factor],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}
