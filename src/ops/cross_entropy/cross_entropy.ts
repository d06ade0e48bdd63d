/**
 * Cross-entropy of each row over the vocabulary: loss = lse - logits[target], where lse is the
 * log-sum-exp, computed relative to the row's maximum. Also returns what the training panel shows:
 * the target's probability, and whether the target has the largest logit (the first of equal ones).
 * Uses no one-hot and no second [N, V] tensor.
 *
 * The gradient's kernels overwrite the logits with their gradient, so nothing may read the logits
 * after it. Loss weights enter through dloss; a row of weight 0 has a zero gradient.
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
import {
  type CaseRandom,
  defineOp,
  type GradientContext,
  type Hosts,
  type HostTensor,
  type OpDefinition,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { crossEntropyGradKernel, crossEntropyKernel, type LossGradInputs } from './kernels.ts';

type Inputs = 'logits' | 'targets';
type Outputs = 'loss' | 'lse' | 'probability' | 'correct';

/** WebGL gathers by a float32 index, which is exact only up to this many values. */
const MAX_WEBGL_INDEX = 2 ** 24;

/** 1 where a column is the row's target, else 0: [N, v]. Column 0 is token `first`. */
const targetHits = (targets: Tensor, v: number, first = 0): Tensor =>
  where(equal(expandDims(range(first, first + v, 1, 'int32'), 0), expandDims(targets, 1)), 1, 0);

/** The logit of each row's target, [N]. */
function targetLogits(logits: Tensor, targets: Tensor): Tensor {
  if (getBackend() === 'webgl' && logits.size > MAX_WEBGL_INDEX)
    return sum(mul(logits, targetHits(targets, dims2(logits.shape)[1])), 1);
  return gatherND(logits, stack([range(0, targets.size, 1, 'int32'), targets], 1));
}

/** The log-sum-exp of row i, and the column of its first largest logit. */
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

function oracle({ logits, targets }: Hosts<Inputs>): Hosts<Outputs> {
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
}

function reference({ logits, targets }: Tensors<Inputs>): Tensors<Outputs> {
  const lse = logSumExp(logits, 1);
  const loss = sub(lse, targetLogits(logits, targets));
  return {
    loss,
    lse,
    probability: exp(mul(loss, -1)),
    correct: where(equal(argMax(logits, 1), targets), 1, 0),
  };
}

function gradOracle({ logits, targets, lse, dloss }: Hosts<LossGradInputs>): Hosts<'dlogits'> {
  const [n, v] = dims2(logits.shape);
  const dlogits = zeros([n, v]);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < v; j++) {
      const probability = Math.exp(at(logits, i * v + j) - at(lse, i));
      const hit = j === at(targets, i) ? 1 : 0;
      dlogits.data[i * v + j] = at(dloss, i) * (probability - hit);
    }
  return { dlogits };
}

/** The gradient of the logits in tfjs ops. Column 0 of the logits is token `first`. */
export function referenceGrad(
  { logits, targets, lse, dloss }: Tensors<LossGradInputs>,
  first = 0,
): Tensor {
  // Not scatterND: on WebGL it visits all updates for every value of its output.
  const hits = targetHits(targets, dims2(logits.shape)[1], first);
  const probabilities = exp(sub(logits, expandDims(lse, 1)));
  return mul(sub(probabilities, hits), expandDims(dloss, 1));
}

/**
 * logits [N, V], targets [N] int32, lse [N], dloss [N] -> dlogits [N, V]. Where kernels of ours
 * run, dlogits overwrites logits.
 */
export const crossEntropyGrad = defineOp({
  name: 'cross_entropy_grad',
  inputs: ['logits', 'targets', 'lse', 'dloss'],
  outputs: ['dlogits'],
  oracle: (inputs, _: object) => gradOracle(inputs),
  reference: (inputs) => ({ dlogits: referenceGrad(inputs) }),
  kernel: (inputs) => ({ dlogits: crossEntropyGradKernel(inputs) }),
  float16: { inputs: ['logits'] },
  gradient: null,
  bench: ({ N, V }, inputs) => [
    {
      attrs: {},
      inputs: {
        logits: inputs.normal(N, V),
        targets: inputs.tokens(N, V),
        lse: inputs.full(10, N),
        dloss: inputs.full(1 / N, N),
      },
    },
  ],
  cases: [
    [37, 96],
    [1, 5],
    [3, 300],
  ].map(([n = 0, v = 0]) => ({
    name: `${n}x${v}`,
    attrs: {},
    inputs: (random) => {
      const logits = random.normal([n, v], 2);
      const lse = Array.from({ length: n }, (_x, i) => rowOracle(logits, i, v).lse);
      return {
        logits,
        targets: random.ints([n], v),
        lse: random.values([n], lse),
        dloss: random.normal([n]),
      };
    },
  })),
});

/** Where kernels of ours run, the gradient takes the place of the logits. */
function logitsGradient(context: GradientContext<Inputs, object, Outputs>): Tensor {
  const { logits, targets } = context.inputs;
  const { lse } = context.outputs;
  const dloss = required(context.dy.loss);
  const { dlogits } = run(crossEntropyGrad, { logits, targets, lse, dloss }, {});
  // A separate handle, so that the caller can dispose the logits and keep the gradient.
  return dlogits === logits ? clone(dlogits) : dlogits;
}

const normalLogits =
  (n: number, v: number, std: number, mean = 0) =>
  (random: CaseRandom) => ({
    logits: random.normal([n, v], std, mean),
    targets: random.ints([n], v),
  });

/** logits [N, V], targets [N] int32 -> loss [N], lse [N], probability [N], correct [N] (0 or 1). */
export const crossEntropy: OpDefinition<Inputs, object, Outputs, 'logits'> = defineOp({
  name: 'cross_entropy',
  inputs: ['logits', 'targets'],
  outputs: ['loss', 'lse', 'probability', 'correct'],
  oracle: (inputs, _: object) => oracle(inputs),
  reference,
  kernel: ({ logits, targets }) => crossEntropyKernel(logits, targets),
  float16: { inputs: ['logits'] },
  gradient: {
    saves: { inputs: ['logits', 'targets'], outputs: ['lse'] },
    from: ['loss'],
    to: { logits: logitsGradient },
  },
  bench: ({ N, V }, inputs) => [
    { attrs: {}, inputs: { logits: inputs.normal(N, V), targets: inputs.tokens(N, V) } },
  ],
  cases: [
    { name: '37x96', attrs: {}, inputs: normalLogits(37, 96, 2) },
    { name: 'one row', attrs: {}, inputs: normalLogits(1, 5, 1) },
    // Rows that the processor reads in several blocks, with a last one that is not whole.
    { name: '2x3501', attrs: {}, inputs: normalLogits(2, 3501, 2) },
    // exp overflows here unless it is computed relative to the maximum. float32 values near 300 are
    // 3e-5 apart, hence the tolerance.
    { name: 'large logits', attrs: {}, inputs: normalLogits(3, 300, 5, 300), atol: 1e-4 },
    {
      name: 'equal logits',
      attrs: {},
      inputs: (random) => ({
        logits: random.values([2, 130], new Array<number>(260).fill(0.25)),
        targets: random.values([2], [0, 129], 'int32'),
      }),
    },
  ],
});
