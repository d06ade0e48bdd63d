/**
 * The results of a training step, in two dispatches: sums of squares of the gradients, then the
 * gradient norm next to the step's sums, which are reset.
 */
import {
  concat,
  pad,
  reshape,
  sqrt,
  square,
  sum,
  type Tensor,
  zerosLike,
} from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { defineOp, type Hosts, type Tensors } from '../define.ts';
import { at, zeros } from '../host.ts';
import { partsOf, squaresKernel } from './grad_norm.ts';
import code from './step_results.wgsl?raw';
import { workgroupSum } from '../wgsl/index.ts';
import { WORKGROUP } from './update.ts';

/** x [n] -> parts [k], k <= 1024: part i sums x^2 over blocks i, i + k, ... of 256 values. */
export const sumOfSquares = defineOp({
  name: 'sum_of_squares',
  inputs: ['x'],
  outputs: ['parts'],
  oracle: ({ x }, _: object) => {
    const parts = zeros([partsOf(x.data.length)]);
    const { length } = parts.data;
    x.data.forEach((value, i) => {
      const part = Math.floor(i / WORKGROUP) % length;
      parts.data[part] = at(parts, part) + value * value;
    });
    return { parts };
  },
  reference: ({ x }) => {
    const parts = partsOf(x.size);
    const rounds = Math.ceil(x.size / (parts * WORKGROUP));
    const padding = rounds * parts * WORKGROUP - x.size;
    const squares = pad(reshape(square(x), [x.size]), [[0, padding]]);
    return { parts: sum(reshape(squares, [rounds, parts, WORKGROUP]), [0, 2]) };
  },
  kernel: ({ x }) => ({ parts: squaresKernel(x) }),
  gradient: null,
  bench: ({ P }, inputs) => [{ attrs: {}, inputs: { x: inputs.normal(P) } }],
  cases: [
    { name: 'odd length', attrs: {}, inputs: (random) => ({ x: random.normal([700], 0.1) }) },
    {
      name: 'more than one round',
      attrs: {},
      inputs: (random) => ({ x: random.normal([1024 * 256 + 1000], 0.1) }),
    },
  ],
});

type Out = 'norm' | 'results' | 'sums';

function oracle({ parts, sums }: Hosts<'parts' | 'sums'>): Hosts<Out> {
  const n = sums.data.length;
  const norm = zeros([]);
  const results = zeros([n + 1]);
  norm.data[0] = results.data[n] = Math.sqrt(parts.data.reduce((a, b) => a + b, 0));
  results.data.set(sums.data);
  return { norm, results, sums: zeros([n]) };
}

function reference({ parts, sums }: Tensors<'parts' | 'sums'>): Tensors<Out> {
  const norm = sqrt(sum(parts));
  return { norm, results: concat([sums, reshape(norm, [1])]), sums: zerosLike(sums) };
}

function kernel({ parts, sums }: Record<'parts' | 'sums', Tensor>): Tensors<Out> {
  const norm = output([]);
  const results = output([sums.size + 1]);
  dispatch({
    name: 'step_results',
    code: workgroupSum + code,
    constants: { WORKGROUP },
    writes: [norm, results],
    updates: [sums],
    reads: [parts],
    params: [
      ['u32', parts.size],
      ['u32', sums.size],
    ],
    workgroups: [1, 1, 1],
  });
  return { norm, results, sums };
}

/**
 * parts [k] (sums of squares), sums [n], n <= 256 -> norm [], the square root of the sum of the
 * parts; results [n + 1], the sums followed by the norm; sums, zeroed. By kernels the sums are updated
 * in place and returned themselves.
 */
export const stepResults = defineOp({
  name: 'step_results',
  inputs: ['parts', 'sums'],
  outputs: ['norm', 'results', 'sums'],
  oracle,
  reference,
  kernel,
  gradient: null,
  bench: (_sizes, inputs) => [
    { attrs: {}, inputs: { parts: inputs.normal(256), sums: inputs.normal(2) } },
  ],
  cases: [
    {
      name: 'loss and accuracy',
      attrs: {},
      inputs: (random) => ({
        parts: random.values([3], [0.5, 0, 2.25]),
        sums: random.values([2], [1.5, 0.25]),
      }),
    },
    {
      name: 'more parts than threads',
      attrs: {},
      inputs: (random) => ({
        parts: random.values(
          [300],
          Array.from({ length: 300 }, (_, i) => (i % 7) / 100),
        ),
        sums: random.normal([5]),
      }),
    },
  ],
});
