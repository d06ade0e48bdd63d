/**
 * Log-probabilities of sequences: masked sums of their tokens' log-probabilities, which DPO, reward
 * weighting and evaluation compare. The caller divides by `counts` where a method averages over
 * tokens (IPO, SimPO).
 */
import { equal, mul, reshape, sum, type Tensor, where, zerosLike } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import {
  type CaseRandom,
  defineOp,
  type HostTensor,
  type Hosts,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, zeros } from '../host.ts';
import { ELEMENTWISE, threadsForRow, workgroupSum } from '../wgsl/index.ts';
import wgsl from './sequence_logps.wgsl?raw';
import gradWgsl from './sequence_logps_grad.wgsl?raw';

export interface SequenceLogpsAttrs {
  /** Sequences in the batch. */
  B: number;
  /** Tokens per sequence. */
  T: number;
}
type In = 'logps' | 'weights';
type Out = 'sums' | 'counts';

function oracle({ logps, weights }: Hosts<In>, { B, T }: SequenceLogpsAttrs): Hosts<Out> {
  const sums = zeros([B]);
  const counts = zeros([B]);
  for (let b = 0; b < B; b++)
    for (let t = 0; t < T; t++) {
      const weight = at(weights, b * T + t);
      if (weight === 0) continue;
      sums.data[b] = at(sums, b) + weight * at(logps, b * T + t);
      counts.data[b] = at(counts, b) + weight;
    }
  return { sums, counts };
}

function reference({ logps, weights }: Tensors<In>, { B, T }: SequenceLogpsAttrs): Tensors<Out> {
  const perToken = where(equal(weights, 0), zerosLike(logps), mul(weights, logps));
  const perSequence = (tokens: Tensor): Tensor => sum(reshape(tokens, [B, T]), 1);
  return { sums: perSequence(perToken), counts: perSequence(weights) };
}

function kernel({ logps, weights }: Tensors<In>, { B, T }: SequenceLogpsAttrs): Tensors<Out> {
  const sums = output([B]);
  const counts = output([B]);
  dispatch({
    name: 'sequence_logps',
    code: workgroupSum + wgsl,
    constants: { WORKGROUP: threadsForRow(T) },
    writes: [sums, counts],
    reads: [logps, weights],
    params: [
      ['u32', B],
      ['u32', T],
    ],
    workgroups: grid(B),
  });
  return { sums, counts };
}

function onProcessor({ logps, weights }: Tensors<In>, { B, T }: SequenceLogpsAttrs): Tensors<Out> {
  const sums = output([B]);
  const counts = output([B]);
  runOnProcessor({
    kernel: 'sequence_logps',
    writes: [sums, counts],
    reads: [logps, weights],
    params: [
      ['i32', B],
      ['i32', T],
    ],
  });
  return { sums, counts };
}

/** Values of `weights` with 1 for the tokens from..to-1 of each sequence. */
function maskOf(
  random: CaseRandom,
  T: number,
  ranges: readonly (readonly [from: number, to: number])[],
): HostTensor {
  const values = ranges.flatMap(([from, to]) =>
    Array.from({ length: T }, (_, t) => (t >= from && t < to ? 1 : 0)),
  );
  return random.values([values.length], values);
}
const cases = [
  {
    name: 'masks of completions, one of them empty',
    attrs: { B: 3, T: 5 },
    weights: (random: CaseRandom) =>
      maskOf(random, 5, [
        [2, 5],
        [0, 0],
        [4, 5],
      ]),
  },
  {
    name: 'weights, more tokens than threads',
    attrs: { B: 2, T: 600 },
    weights: (random: CaseRandom) => random.normal([1200], 0.2, 0.5),
  },
  {
    name: 'one token',
    attrs: { B: 1, T: 1 },
    weights: (random: CaseRandom) => random.values([1], [1]),
  },
  {
    name: 'empty masks',
    attrs: { B: 2, T: 3 },
    weights: (random: CaseRandom) => random.values([6], [0, 0, 0, 0, 0, 0]),
  },
];

/**
 * logps [B T] (log-probabilities of the tokens, or their losses, which gives negated sums), weights
 * [B T] (0 or 1 for a mask) -> sums [B] of weights x logps, counts [B] of the weights. A sequence
 * whose mask is empty gives 0 and 0. A token of weight 0 contributes nothing, whatever its value.
 */
export const sequenceLogps: OpDefinition<In, SequenceLogpsAttrs, Out, 'logps'> = defineOp({
  name: 'sequence_logps',
  inputs: ['logps', 'weights'],
  outputs: ['sums', 'counts'],
  oracle,
  reference,
  kernel,
  processor: onProcessor,
  gradient: {
    saves: { inputs: ['weights'], outputs: [] },
    from: ['sums'],
    to: {
      logps: ({ inputs: { weights }, attrs, dy }) =>
        run(sequenceLogpsGrad, { dsums: required(dy.sums), weights }, attrs).dlogps,
    },
  },
  bench: ({ B, T, N }, inputs) => [
    { attrs: { B, T }, inputs: { logps: inputs.normal(N), weights: inputs.full(1, N) } },
  ],
  cases: cases.map(({ name, attrs, weights }) => ({
    name,
    attrs,
    inputs: (random) => ({
      logps: random.normal([attrs.B * attrs.T], 1, -2),
      weights: weights(random),
    }),
  })),
});

type GradIn = 'dsums' | 'weights';
/** Gradient of `sequence_logps`: dsums [B], weights [B T] -> dlogps [B T]. */
export const sequenceLogpsGrad: OpDefinition<GradIn, SequenceLogpsAttrs, 'dlogps', never> =
  defineOp({
    name: 'sequence_logps_grad',
    inputs: ['dsums', 'weights'],
    outputs: ['dlogps'],
    oracle: ({ dsums, weights }, { B, T }: SequenceLogpsAttrs) => {
      const dlogps = zeros([B * T]);
      for (let i = 0; i < B * T; i++)
        dlogps.data[i] = at(weights, i) * at(dsums, Math.floor(i / T));
      return { dlogps };
    },
    reference: ({ dsums, weights }, { B, T }) => ({
      dlogps: reshape(mul(reshape(weights, [B, T]), reshape(dsums, [B, 1])), [B * T]),
    }),
    kernel: ({ dsums, weights }, { B, T }) => {
      const dlogps = output([B * T]);
      dispatch({
        name: 'sequence_logps_grad',
        code: gradWgsl,
        writes: [dlogps],
        reads: [dsums, weights],
        params: [
          ['u32', B * T],
          ['u32', T],
        ],
        workgroups: grid(Math.ceil((B * T) / ELEMENTWISE)),
      });
      return { dlogps };
    },
    processor: ({ dsums, weights }, { B, T }) => {
      const dlogps = output([B * T]);
      runOnProcessor({
        kernel: 'sequence_logps_grad',
        writes: [dlogps],
        reads: [dsums, weights],
        params: [
          ['i32', B],
          ['i32', T],
        ],
      });
      return { dlogps };
    },
    gradient: null,
    bench: ({ B, T, N }, inputs) => [
      { attrs: { B, T }, inputs: { dsums: inputs.normal(B), weights: inputs.full(1, N) } },
    ],
    cases: cases.map(({ name, attrs, weights }) => ({
      name,
      attrs,
      inputs: (random) => ({ dsums: random.normal([attrs.B]), weights: weights(random) }),
    })),
  });
