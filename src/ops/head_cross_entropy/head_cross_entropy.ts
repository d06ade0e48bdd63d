/**
 * The head's product and the cross-entropy of it in one, for vocabularies whose logits would not
 * fit, or not well, in one tensor. Logits exist for `chunk` tokens of the vocabulary at a time.
 * Forward: of each row the largest logit, the sum of exponentials about it and the target's logit
 * are carried from chunk to chunk (Milakov and Gimelshein 2018, online softmax). Backward: a
 * chunk's logits are made again, their gradient is written over them, and goes into dx and into the
 * chunk's rows of the weight's gradient. That costs one product more than `matmul` and
 * `cross_entropy`, which keep all logits.
 *
 * On WebGPU rows of the weight are bound where they lie, so a chunk is a multiple of 64 tokens, or
 * of as many as make whole 256 bytes.
 */
import {
  add,
  argMax,
  concat,
  equal,
  exp,
  expandDims,
  gather,
  logSumExp,
  max,
  mul,
  range,
  scalar,
  slice,
  stack,
  sub,
  sum,
  type Tensor,
  tidy,
  where,
} from '@tensorflow/tfjs-core';
import { crossEntropy, crossEntropyGrad, referenceGrad } from '../cross_entropy/cross_entropy.ts';
import {
  type CaseRandom,
  defineOp,
  type GradientContext,
  type Hosts,
  type HostTensor,
  type OpCase,
  type OpDefinition,
  perNode,
  run,
} from '../define.ts';
import { required } from '../gradient.ts';
import { dims2 } from '../host.ts';
import { matmul, referenceMatmul } from '../matmul/matmul.ts';
import {
  type Chunk,
  chunksOf,
  headCrossEntropyGradKernel,
  headCrossEntropyKernel,
} from './kernels.ts';

export interface HeadCrossEntropyAttrs {
  /** Tokens of the vocabulary whose logits exist at a time. */
  chunk: number;
}

type Inputs = 'x' | 'weight' | 'targets';
type Outputs = 'loss' | 'lse' | 'probability' | 'correct';

const oracleProduct = (
  a: HostTensor,
  b: HostTensor,
  transpose_a: boolean,
  transpose_b: boolean,
): HostTensor => matmul.oracle({ a, b }, { transpose_a, transpose_b }).c;
const oracleLogits = ({ x, weight }: Hosts<'x' | 'weight'>): HostTensor =>
  oracleProduct(x, weight, false, true);

/** The weight's rows of a chunk. */
const rowsOf = (weight: Tensor, { first, end }: Chunk): Tensor =>
  slice(weight, [first, 0], [end - first, dims2(weight.shape)[1]]);
const logitsOf = (x: Tensor, rows: Tensor): Tensor =>
  referenceMatmul(x, rows, { transpose_a: false, transpose_b: true });

function reference(
  x: Tensor,
  weight: Tensor,
  targets: Tensor,
  chunk: number,
): Record<Outputs, Tensor> {
  const [v] = dims2(weight.shape);
  const parts = chunksOf(v, chunk).map((c) =>
    tidy(() => {
      const logits = logitsOf(x, rowsOf(weight, c));
      return {
        lse: logSumExp(logits, 1),
        largest: max(logits, 1),
        hit: where(equal(add(argMax(logits, 1), scalar(c.first, 'int32')), targets), 1, 0),
      };
    }),
  );
  const winner = argMax(
    stack(
      parts.map((p) => p.largest),
      1,
    ),
    1,
  );
  const wins = where(
    equal(expandDims(range(0, parts.length, 1, 'int32'), 0), expandDims(winner, 1)),
    1,
    0,
  );
  const lse = logSumExp(
    stack(
      parts.map((p) => p.lse),
      1,
    ),
    1,
  );
  const loss = sub(lse, sum(mul(x, gather(weight, targets)), 1));
  return {
    loss,
    lse,
    probability: exp(mul(loss, -1)),
    correct: sum(
      mul(
        stack(
          parts.map((p) => p.hit),
          1,
        ),
        wins,
      ),
      1,
    ),
  };
}

interface GradTensors {
  x: Tensor;
  weight: Tensor;
  targets: Tensor;
  lse: Tensor;
  dloss: Tensor;
}
function gradReference(
  { x, weight, targets, lse, dloss }: GradTensors,
  chunk: number,
): Record<'dx' | 'weight', Tensor> {
  const parts: Tensor[] = [];
  const made: { dx?: Tensor } = {};
  for (const c of chunksOf(dims2(weight.shape)[0], chunk)) {
    const before = made.dx;
    const next = tidy(() => {
      const rows = rowsOf(weight, c);
      const dlogits = referenceGrad(logitsOf(x, rows), targets, lse, dloss, c.first);
      const dx = referenceMatmul(dlogits, rows, { transpose_a: false, transpose_b: false });
      return {
        dx: before ? add(before, dx) : dx,
        dweight: referenceMatmul(dlogits, x, { transpose_a: true, transpose_b: false }),
      };
    });
    before?.dispose();
    made.dx = next.dx;
    parts.push(next.dweight);
  }
  return { dx: required(made.dx), weight: concat(parts, 0) };
}

const values = (
  r: CaseRandom,
  n: number,
  d: number,
  v: number,
  targets: readonly number[],
): Hosts<Inputs> => ({
  x: r.normal([n, d], 0.5),
  weight: r.normal([v, d], 0.5),
  targets: r.values(
    [n],
    Array.from({ length: n }, (_, i) => targets[i % targets.length] ?? 0),
    'int32',
  ),
});

/**
 * Rows 1, 5 and 9 are one vector, so that each chunk has the largest logit; all products are exact.
 */
const ties = (r: CaseRandom): Hosts<Inputs> => ({
  x: r.values(
    [4, 16],
    Array.from({ length: 64 }, (_, i) => (1 + Math.floor(i / 16)) / 4),
  ),
  weight: r.values(
    [12, 16],
    Array.from({ length: 192 }, (_, i) => (Math.floor(i / 16) % 4 === 1 ? 0.5 : -0.25)),
  ),
  targets: r.values([4], [1, 5, 9, 2], 'int32'),
});

const CASES: OpCase<Inputs, HeadCrossEntropyAttrs>[] = [
  {
    name: 'three chunks and a smaller one, a target in each',
    attrs: { chunk: 4 },
    inputs: (r) => values(r, 5, 16, 14, [0, 5, 11, 12, 13]),
  },
  {
    name: 'more rows, an odd last chunk',
    attrs: { chunk: 8 },
    inputs: (r) => values(r, 37, 16, 23, [7, 8, 22, 16, 0, 3]),
  },
  {
    name: 'chunks in fours',
    attrs: { chunk: 8 },
    inputs: (r) => values(r, 18, 16, 24, [0, 7, 8, 15, 16, 23]),
  },
  { name: 'an odd width', attrs: { chunk: 64 }, inputs: (r) => values(r, 3, 5, 70, [63, 64, 1]) },
  { name: 'one chunk', attrs: { chunk: 64 }, inputs: (r) => values(r, 3, 16, 10, [9, 0, 4]) },
  {
    name: 'equal largest logits in all chunks: the first counts',
    attrs: { chunk: 4 },
    inputs: ties,
  },
];

/**
 * x [N, D], weight [V, D], targets [N] int32, lse [N], dloss [N] -> dx [N, D] and weight [V, D],
 * the gradients; the second accumulates.
 */
export const headCrossEntropyGrad = defineOp({
  name: 'head_cross_entropy_grad',
  inputs: ['x', 'weight', 'targets', 'lse', 'dloss'],
  outputs: ['dx', 'weight'],
  oracle: ({ x, weight, targets, lse, dloss }, _: HeadCrossEntropyAttrs) => {
    const { dlogits } = crossEntropyGrad.oracle(
      { logits: oracleLogits({ x, weight }), targets, lse, dloss },
      {},
    );
    return {
      dx: oracleProduct(dlogits, weight, false, false),
      weight: oracleProduct(dlogits, x, true, false),
    };
  },
  reference: (inputs, { chunk }) => gradReference(inputs, chunk),
  kernel: ({ x, weight, targets, lse, dloss }, { chunk }, into) =>
    headCrossEntropyGradKernel(x, weight, targets, lse, dloss, chunk, into.weight),
  accumulates: ['weight'],
  float16: { inputs: ['x'] },
  gradient: null,
  cases: CASES.map((c) => ({
    name: c.name,
    attrs: c.attrs,
    inputs: (r) => {
      const { x, weight, targets } = c.inputs(r);
      const { lse } = crossEntropy.oracle({ logits: oracleLogits({ x, weight }), targets }, {});
      return { x, weight, targets, lse, dloss: r.normal(targets.shape) };
    },
  })),
});

type Context = GradientContext<Inputs, HeadCrossEntropyAttrs, Outputs>;
const gradients = perNode(
  ({ inputs: { x, weight, targets }, outputs: { lse }, dy, attrs, into }: Context) =>
    run(headCrossEntropyGrad, { x, weight, targets, lse, dloss: required(dy.loss) }, attrs, {
      dx: into.x,
      weight: into.weight,
    }),
);

/**
 * x [N, D], weight [V, D], targets [N] int32 -> loss [N], lse [N], probability [N], correct [N] (0
 * or 1): `cross_entropy` of x weight^T.
 */
export const headCrossEntropy: OpDefinition<
  Inputs,
  HeadCrossEntropyAttrs,
  Outputs,
  'x' | 'weight'
> = defineOp({
  name: 'head_cross_entropy',
  inputs: ['x', 'weight', 'targets'],
  outputs: ['loss', 'lse', 'probability', 'correct'],
  oracle: ({ x, weight, targets }, _attrs: HeadCrossEntropyAttrs) =>
    crossEntropy.oracle({ logits: oracleLogits({ x, weight }), targets }, {}),
  reference: ({ x, weight, targets }, { chunk }) => reference(x, weight, targets, chunk),
  kernel: ({ x, weight, targets }, { chunk }) => headCrossEntropyKernel(x, weight, targets, chunk),
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight', 'targets'], outputs: ['lse'] },
    from: ['loss'],
    to: { x: (c: Context) => gradients(c).dx, weight: (c: Context) => gradients(c).weight },
  },
  cases: CASES,
});
