/**
 * The head's matmul and cross-entropy in one, for vocabularies whose logits are too large for one
 * tensor. Logits exist for `chunk` tokens of the vocabulary at a time.
 *
 * Forward: the largest logit of each row, the sum of exponentials relative to it and the target's
 * logit are carried from chunk to chunk (online softmax, Milakov and Gimelshein 2018). Backward: the
 * logits of a chunk are recomputed and overwritten by their gradient, which is then multiplied into
 * dx and into the chunk's rows of the weight's gradient. That costs one more matmul than `matmul` and
 * `cross_entropy`, which keep all logits.
 *
 * On WebGPU, rows of the weight are bound as views at 256-byte offsets, so a chunk must be a multiple
 * of 64 tokens, or of as many rows as make a multiple of 256 bytes.
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
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { dims2 } from '../host.ts';
import { matmul, type MatmulAttrs, referenceMatmul } from '../matmul/matmul.ts';
import {
  type Chunk,
  chunksOf,
  headCrossEntropyGradKernel,
  headCrossEntropyKernel,
  type HeadGradInputs,
} from './kernels.ts';

export interface HeadCrossEntropyAttrs {
  /** Tokens of the vocabulary whose logits exist at one time. */
  chunk: number;
}

type Inputs = 'x' | 'weight' | 'targets';
type Outputs = 'loss' | 'lse' | 'probability' | 'correct';

const NN = { transpose_a: false, transpose_b: false };
const NT = { transpose_a: false, transpose_b: true };
const TN = { transpose_a: true, transpose_b: false };

const oracleMatmul = (a: HostTensor, b: HostTensor, attrs: MatmulAttrs): HostTensor =>
  matmul.oracle({ a, b }, attrs).c;
const oracleLogits = ({ x, weight }: Hosts<'x' | 'weight'>): HostTensor =>
  oracleMatmul(x, weight, NT);

/** The weight's rows of a chunk. */
const rowsOf = (weight: Tensor, { first, end }: Chunk): Tensor =>
  slice(weight, [first, 0], [end - first, dims2(weight.shape)[1]]);

function reference({ x, weight, targets }: Tensors<Inputs>, chunk: number): Tensors<Outputs> {
  const [v] = dims2(weight.shape);
  const parts = chunksOf(v, chunk).map((tokens) =>
    tidy(() => {
      const logits = referenceMatmul(x, rowsOf(weight, tokens), NT);
      const best = add(argMax(logits, 1), scalar(tokens.first, 'int32'));
      return {
        lse: logSumExp(logits, 1),
        largest: max(logits, 1),
        hit: where(equal(best, targets), 1, 0),
      };
    }),
  );
  /** [N, chunks]. */
  const columnsOf = (name: 'lse' | 'largest' | 'hit'): Tensor =>
    stack(
      parts.map((part) => part[name]),
      1,
    );
  const bestChunk = expandDims(argMax(columnsOf('largest'), 1), 1);
  const chunks = expandDims(range(0, parts.length, 1, 'int32'), 0);
  const lse = logSumExp(columnsOf('lse'), 1);
  const loss = sub(lse, sum(mul(x, gather(weight, targets)), 1));
  return {
    loss,
    lse,
    probability: exp(mul(loss, -1)),
    correct: sum(mul(columnsOf('hit'), where(equal(chunks, bestChunk), 1, 0)), 1),
  };
}

function gradReference(
  { x, weight, targets, lse, dloss }: Tensors<HeadGradInputs>,
  chunk: number,
): Tensors<'dx' | 'weight'> {
  const parts: Tensor[] = [];
  let dx: Tensor | undefined;
  for (const tokens of chunksOf(dims2(weight.shape)[0], chunk)) {
    const before = dx;
    const next = tidy(() => {
      const rows = rowsOf(weight, tokens);
      const logits = referenceMatmul(x, rows, NT);
      const dlogits = referenceGrad({ logits, targets, lse, dloss }, tokens.first);
      const part = referenceMatmul(dlogits, rows, NN);
      return {
        dx: before ? add(before, part) : part,
        dweight: referenceMatmul(dlogits, x, TN),
      };
    });
    before?.dispose();
    dx = next.dx;
    parts.push(next.dweight);
  }
  return { dx: required(dx), weight: concat(parts, 0) };
}

/** Random x [n, d] and weight [v, d]; the targets are repeated over the rows. */
const randomInputs = (
  random: CaseRandom,
  { n, d, v }: { n: number; d: number; v: number },
  targets: readonly number[],
): Hosts<Inputs> => ({
  x: random.normal([n, d], 0.5),
  weight: random.normal([v, d], 0.5),
  targets: random.values(
    [n],
    Array.from({ length: n }, (_, i) => targets[i % targets.length] ?? 0),
    'int32',
  ),
});

/**
 * Rows 1, 5 and 9 of the weight are equal, so that the largest logit occurs in every chunk. All
 * arithmetic is exact.
 */
const ties = (random: CaseRandom): Hosts<Inputs> => ({
  x: random.values(
    [4, 16],
    Array.from({ length: 64 }, (_, i) => (1 + Math.floor(i / 16)) / 4),
  ),
  weight: random.values(
    [12, 16],
    Array.from({ length: 192 }, (_, i) => (Math.floor(i / 16) % 4 === 1 ? 0.5 : -0.25)),
  ),
  targets: random.values([4], [1, 5, 9, 2], 'int32'),
});

/** Half of the vocabulary, in a whole number of 64 tokens. */
const benchChunk = (V: number): number => 64 * Math.ceil(V / 128);

const CASES: OpCase<Inputs, HeadCrossEntropyAttrs>[] = [
  {
    name: 'three chunks and a smaller one, a target in each',
    attrs: { chunk: 4 },
    inputs: (random) => randomInputs(random, { n: 5, d: 16, v: 14 }, [0, 5, 11, 12, 13]),
  },
  {
    name: 'more rows, an odd last chunk',
    attrs: { chunk: 8 },
    inputs: (random) => randomInputs(random, { n: 37, d: 16, v: 23 }, [7, 8, 22, 16, 0, 3]),
  },
  {
    name: 'chunks in fours',
    attrs: { chunk: 8 },
    inputs: (random) => randomInputs(random, { n: 18, d: 16, v: 24 }, [0, 7, 8, 15, 16, 23]),
  },
  {
    name: 'an odd width',
    attrs: { chunk: 64 },
    inputs: (random) => randomInputs(random, { n: 3, d: 5, v: 70 }, [63, 64, 1]),
  },
  {
    name: 'one chunk',
    attrs: { chunk: 64 },
    inputs: (random) => randomInputs(random, { n: 3, d: 16, v: 10 }, [9, 0, 4]),
  },
  {
    name: 'equal largest logits in all chunks: the first counts',
    attrs: { chunk: 4 },
    inputs: ties,
  },
];

/**
 * x [N, D], weight [V, D], targets [N] int32, lse [N], dloss [N] -> the gradients dx [N, D] and
 * weight [V, D]; the latter accumulates.
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
      dx: oracleMatmul(dlogits, weight, NN),
      weight: oracleMatmul(dlogits, x, TN),
    };
  },
  reference: (inputs, { chunk }) => gradReference(inputs, chunk),
  kernel: (inputs, { chunk }, into) => headCrossEntropyGradKernel(inputs, chunk, into.weight),
  accumulates: ['weight'],
  float16: { inputs: ['x'] },
  gradient: null,
  bench: ({ N, D, V }, inputs) => [
    {
      attrs: { chunk: benchChunk(V) },
      inputs: {
        x: inputs.normal(N, D),
        weight: inputs.normal(V, D),
        targets: inputs.tokens(N, V),
        lse: inputs.full(10, N),
        dloss: inputs.full(1 / N, N),
      },
      flops: 6 * N * V * D,
    },
  ],
  cases: CASES.map((c) => ({
    name: c.name,
    attrs: c.attrs,
    inputs: (random) => {
      const { x, weight, targets } = c.inputs(random);
      const { lse } = crossEntropy.oracle({ logits: oracleLogits({ x, weight }), targets }, {});
      return { x, weight, targets, lse, dloss: random.normal(targets.shape) };
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
 * `cross_entropy` of x weight^T: x [N, D], weight [V, D], targets [N] int32 -> loss [N], lse [N],
 * probability [N], correct [N] (0 or 1).
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
  reference: (inputs, { chunk }) => reference(inputs, chunk),
  kernel: (inputs, { chunk }) => headCrossEntropyKernel(inputs, chunk),
  float16: { inputs: ['x'] },
  gradient: {
    saves: { inputs: ['x', 'weight', 'targets'], outputs: ['lse'] },
    from: ['loss'],
    to: {
      x: (context: Context) => gradients(context).dx,
      weight: (context: Context) => gradients(context).weight,
    },
  },
  bench: ({ N, D, V }, inputs) => [
    {
      attrs: { chunk: benchChunk(V) },
      inputs: {
        x: inputs.normal(N, D),
        weight: inputs.normal(V, D),
        targets: inputs.tokens(N, V),
      },
      flops: 2 * N * V * D,
    },
  ],
  cases: CASES,
});
