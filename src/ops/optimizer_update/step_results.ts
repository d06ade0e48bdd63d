/**
 * What a step leaves to be read, in two dispatches: squares of the gradients, then their root
 * beside the step's sums, which start anew.
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

/** x [n] -> parts: sums of x^2 over every so many blocks of 256, at most 1024 sums. */
export const sum_of_squares = defineOp({
  name: 'sum_of_squares',
  inputs: ['x'],
  outputs: ['parts'],
  oracle: ({ x }, _: object) => {
    const parts = zeros([partsOf(x.data.length)]);
    const { length } = parts.data;
    x.data.forEach((v, i) => {
      const k = Math.floor(i / WORKGROUP) % length;
      parts.data[k] = at(parts, k) + v * v;
    });
    return { parts };
  },
  reference: ({ x }) => {
    const parts = partsOf(x.size);
    const rounds = Math.ceil(x.size / (parts * WORKGROUP));
    return {
      parts: sum(
        reshape(pad(reshape(square(x), [x.size]), [[0, rounds * parts * WORKGROUP - x.size]]), [
          rounds,
          parts,
          WORKGROUP,
        ]),
        [0, 2],
      ),
    };
  },
  kernel: ({ x }) => ({ parts: squaresKernel(x) }),
  gradient: null,
  cases: [
    { name: 'odd length', attrs: {}, inputs: (r) => ({ x: r.normal([700], 0.1) }) },
    {
      name: 'more than one round',
      attrs: {},
      inputs: (r) => ({ x: r.normal([1024 * 256 + 1000], 0.1) }),
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
 * parts [k] (of squares), sums [n] (n at most 256) -> norm, the root of all parts, a scalar;
 * results [n + 1], the sums and then the norm; sums zeroed. On WebGPU the sums are written in place
 * and come back themselves.
 */
export const step_results = defineOp({
  name: 'step_results',
  inputs: ['parts', 'sums'],
  outputs: ['norm', 'results', 'sums'],
  oracle,
  reference,
  kernel,
  gradient: null,
  cases: [
    {
      name: 'loss and accuracy',
      attrs: {},
      inputs: (r) => ({ parts: r.values([3], [0.5, 0, 2.25]), sums: r.values([2], [1.5, 0.25]) }),
    },
    {
      name: 'more parts than threads',
      attrs: {},
      inputs: (r) => ({
        parts: r.values(
          [300],
          Array.from({ length: 300 }, (_, i) => (i % 7) / 100),
        ),
        sums: r.normal([5]),
      }),
    },
  ],
});
