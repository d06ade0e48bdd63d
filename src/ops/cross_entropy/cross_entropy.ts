/**
 * Exact cross-entropy of each row over the vocabulary: loss = lse - logits[target], where lse is
 * the log of the sum of exponentials, taken about the row's maximum. Beside it come what the
 * training panel shows: the target's probability, and whether the target is the largest logit (the
 * first one, among equals). No one-hot, and no second [N, V] tensor.
 *
 * The gradient's kernel overwrites the logits in place with their own gradient: nothing may read
 * the logits after it. A row's loss weight comes in through dloss; a row of weight 0 gets a
 * gradient of zeros.
 */
import {
  argMax,
  clone,
  equal,
  exp,
  expandDims,
  gatherND,
  getBackend,
  logSumExp,
  mul,
  range,
  stack,
  sub,
  sum,
  type Tensor,
  where,
} from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type HostTensor, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { crossEntropyGradKernel, crossEntropyKernel } from './kernels.ts';

/**
 * WebGL finds values by an index in float32, which counts to here: beyond it every other logit is
 * its neighbour.
 */
const COUNTED = 2 ** 24;

/** 1 where a column is the row's target, else 0: [N, V]. */
const targetHits = (targets: Tensor, v: number, first = 0): Tensor =>
  where(equal(expandDims(range(first, first + v, 1, 'int32'), 0), expandDims(targets, 1)), 1, 0);

/** The logit of each row's target, [N]. */
function targetLogits(logits: Tensor, targets: Tensor): Tensor {
  if (getBackend() === 'webgl' && logits.size > COUNTED)
    return sum(mul(logits, targetHits(targets, dims2(logits.shape)[1])), 1);
  return gatherND(logits, stack([range(0, targets.size, 1, 'int32'), targets], 1));
}

function rowOracle(logits: HostTensor, i: number, v: number): { lse: number; best: number } {
  let max = -Infinity;
  let best = 0;
  let sum = 0;
  for (let j = 0; j < v; j++)
    if (at(logits, i * v + j) > max) {
      max = at(logits, i * v + j);
      best = j;
    }
  for (let j = 0; j < v; j++) sum += Math.exp(at(logits, i * v + j) - max);
  return { lse: max + Math.log(sum), best };
}

/** The logits' gradient in tfjs ops; their first column is the token `first` of the vocabulary. */
export function referenceGrad(
  logits: Tensor,
  targets: Tensor,
  lse: Tensor,
  dloss: Tensor,
  first = 0,
): Tensor {
  // Not scatterND: on WebGL each value of its output goes through all the updates.
  return mul(
    sub(exp(sub(logits, expandDims(lse, 1))), targetHits(targets, dims2(logits.shape)[1], first)),
    expandDims(dloss, 1),
  );
}

/**
 * logits [N, V], targets [N] int32, lse [N], dloss [N] -> dlogits [N, V], on WebGPU in place of
 * logits.
 */
export const crossEntropyGrad = defineOp({
  name: 'cross_entropy_grad',
  inputs: ['logits', 'targets', 'lse', 'dloss'],
  outputs: ['dlogits'],
  oracle: ({ logits, targets, lse, dloss }, _: object) => {
    const [n, v] = dims2(logits.shape);
    const dlogits = zeros([n, v]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < v; j++) {
        dlogits.data[i * v + j] =
          at(dloss, i) *
          (Math.exp(at(logits, i * v + j) - at(lse, i)) - (j === at(targets, i) ? 1 : 0));
      }
    return { dlogits };
  },
  reference: ({ logits, targets, lse, dloss }) => ({
    dlogits: referenceGrad(logits, targets, lse, dloss),
  }),
  kernel: ({ logits, targets, lse, dloss }) => ({
    dlogits: crossEntropyGradKernel(logits, targets, lse, dloss),
  }),
  float16: { inputs: ['logits'] },
  gradient: null,
  cases: [
    [37, 96],
    [1, 5],
    [3, 300],
  ].map(([n = 0, v = 0]) => ({
    name: `${n}x${v}`,
    attrs: {},
    inputs: (r) => {
      const logits = r.normal([n, v], 2);
      return {
        logits,
        targets: r.ints([n], v),
        lse: r.values(
          [n],
          Array.from({ length: n }, (_x, i) => rowOracle(logits, i, v).lse),
        ),
        dloss: r.normal([n]),
      };
    },
  })),
});

const inputs =
  (n: number, v: number, std: number, mean = 0) =>
  (r: CaseRandom) => ({ logits: r.normal([n, v], std, mean), targets: r.ints([n], v) });

/** logits [N, V], targets [N] int32 -> loss [N], lse [N], probability [N], correct [N] (0 or 1). */
export const crossEntropy = defineOp({
  name: 'cross_entropy',
  inputs: ['logits', 'targets'],
  outputs: ['loss', 'lse', 'probability', 'correct'],
  oracle: ({ logits, targets }, _: object) => {
    const [n, v] = dims2(logits.shape);
    const loss = zeros([n]);
    const lse = zeros([n]);
    const probability = zeros([n]);
    const correct = zeros([n]);
    for (let i = 0; i < n; i++) {
      const row = rowOracle(logits, i, v);
      const target = at(targets, i);
      lse.data[i] = row.lse;
      loss.data[i] = row.lse - at(logits, i * v + target);
      probability.data[i] = Math.exp(-at(loss, i));
      correct.data[i] = row.best === target ? 1 : 0;
    }
    return { loss, lse, probability, correct };
  },
  reference: ({ logits, targets }) => {
    const lse = logSumExp(logits, 1);
    const loss = sub(lse, targetLogits(logits, targets));
    return {
      loss,
      lse,
      probability: exp(mul(loss, -1)),
      correct: where(equal(argMax(logits, 1), targets), 1, 0),
    };
  },
  kernel: ({ logits, targets }) => crossEntropyKernel(logits, targets),
  float16: { inputs: ['logits'] },
  gradient: {
    saves: { inputs: ['logits', 'targets'], outputs: ['lse'] },
    from: ['loss'],
    to: {
      logits: ({ inputs: { logits, targets }, outputs: { lse }, dy }) => {
        const { dlogits } = run(
          crossEntropyGrad,
          { logits, targets, lse, dloss: required(dy.loss) },
          {},
        );
        // A handle of its own, so that the caller may dispose the logits and keep what now stands
        // in their place.
        return dlogits === logits ? clone(dlogits) : dlogits;
      },
    },
  },
  cases: [
    { name: '37x96', attrs: {}, inputs: inputs(37, 96, 2) },
    { name: 'one row', attrs: {}, inputs: inputs(1, 5, 1) },
    // Logits of several hundred: exp overflows unless it is taken about the maximum. float32 near
    // 300 has steps of 3e-5.
    { name: 'large logits', attrs: {}, inputs: inputs(3, 300, 5, 300), atol: 1e-4 },
    {
      name: 'equal logits',
      attrs: {},
      inputs: (r) => ({
        logits: r.values([2, 130], new Array<number>(260).fill(0.25)),
        targets: r.values([2], [0, 129], 'int32'),
      }),
    },
  ],
});
