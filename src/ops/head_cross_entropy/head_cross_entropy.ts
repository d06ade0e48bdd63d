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
 * Kernels bind rows of the weight as views at 256-byte offsets, so a chunk must be a multiple of 64
 * tokens, or of as many rows as make a multiple of 256 bytes.
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
import { storageOf } from '../../backend/index.ts';
import { crossEntropy, crossEntropyGrad, referenceGrad } from '../cross_entropy/cross_entropy.ts';
import {
  type BenchInputs,
  type BenchSizes,
  defineOp,
  type GradientContext,
  type Hosts,
  type HostTensor,
  type OpBench,
  type OpCase,
  type OpDefinition,
  perNode,
  run,
  type Tensors,
} from '../define.ts';
import { required } from '../gradient.ts';
import { dims2 } from '../host.ts';
import { matmul, type MatmulAttrs, referenceMatmul } from '../matmul/matmul.ts';
import { CASES, type HeadCrossEntropyAttrs, type Inputs } from './cases.ts';
import {
  type Chunk,
  chunksOf,
  gpuKernels,
  headCrossEntropyBy,
  headCrossEntropyGradBy,
  headCrossEntropyGradXBy,
  type HeadGradInputs,
} from './kernels.ts';

export type { HeadCrossEntropyAttrs } from './cases.ts';

type Outputs = 'loss' | 'lse' | 'probability' | 'correct';

const NN = { transpose_a: false, transpose_b: false };
const NT = { transpose_a: false, transpose_b: true };
const TN = { transpose_a: true, transpose_b: false };

const oracleMatmul = (a: HostTensor, b: HostTensor, attrs: MatmulAttrs): HostTensor =>
  matmul.oracle({ a, b }, attrs).c;
const oracleLogits = ({ x, weight }: Hosts<'x' | 'weight'>): HostTensor =>
  oracleMatmul(x, weight, NT);

/** The weight's rows of a chunk. */
export const rowsOf = (weight: Tensor, { first, end }: Chunk): Tensor =>
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

/** The gradients of x and, `withWeight`, of the weight's rows by chunk. */
function gradReference(
  { x, weight, targets, lse, dloss }: Tensors<HeadGradInputs>,
  chunk: number,
  withWeight = true,
): { dx: Tensor; parts: Tensor[] } {
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
        dweight: withWeight ? [referenceMatmul(dlogits, x, TN)] : [],
      };
    });
    before?.dispose();
    dx = next.dx;
    parts.push(...next.dweight);
  }
  return { dx: required(dx), parts };
}

/** Whether each chunk of the weight, as it is stored, begins at a multiple of 256 bytes. */
const chunksCanBeViews = (
  { weight }: Tensors<'weight'>,
  { chunk }: HeadCrossEntropyAttrs,
): boolean => storageOf(weight) === 'float32' || isAligned(chunk * dims2(weight.shape)[1]);
const isAligned = (float16_values: number): boolean => (2 * float16_values) % 256 === 0;

/** Half of the vocabulary, in a whole number of 64 tokens. */
export const benchChunk = (V: number): number => 64 * Math.ceil(V / 128);

const GRAD_CASES = CASES.map((c): OpCase<HeadGradInputs, HeadCrossEntropyAttrs> => ({
  name: c.name,
  attrs: c.attrs,
  inputs: (random) => {
    const { x, weight, targets } = c.inputs(random);
    const { lse } = crossEntropy.oracle({ logits: oracleLogits({ x, weight }), targets }, {});
    return { x, weight, targets, lse, dloss: random.normal(targets.shape) };
  },
}));

function gradBench(
  { N, D, V }: BenchSizes,
  inputs: BenchInputs,
  flops: number,
): OpBench<HeadGradInputs, HeadCrossEntropyAttrs>[] {
  const values = {
    x: inputs.normal(N, D),
    weight: inputs.normal(V, D),
    targets: inputs.tokens(N, V),
    lse: inputs.full(10, N),
    dloss: inputs.full(1 / N, N),
  };
  return [{ attrs: { chunk: benchChunk(V) }, inputs: values, flops: flops * N * V * D }];
}

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
  reference: (inputs, { chunk }) => {
    const { dx, parts } = gradReference(inputs, chunk);
    return { dx, weight: concat(parts, 0) };
  },
  kernel: (inputs, { chunk }, into) =>
    headCrossEntropyGradBy(gpuKernels, inputs, chunk, into.weight),
  accumulates: ['weight'],
  float16: { inputs: ['x', 'weight'], when: chunksCanBeViews },
  gradient: null,
  bench: (sizes, inputs) => gradBench(sizes, inputs, 6),
  cases: GRAD_CASES,
});

/** The gradient of x alone, for a frozen weight: the inputs of `head_cross_entropy_grad` -> dx [N, D]. */
export const headCrossEntropyGradX = defineOp({
  name: 'head_cross_entropy_grad_x',
  inputs: ['x', 'weight', 'targets', 'lse', 'dloss'],
  outputs: ['dx'],
  oracle: ({ x, weight, targets, lse, dloss }, _: HeadCrossEntropyAttrs) => {
    const logits = oracleLogits({ x, weight });
    const { dlogits } = crossEntropyGrad.oracle({ logits, targets, lse, dloss }, {});
    return { dx: oracleMatmul(dlogits, weight, NN) };
  },
  reference: (inputs, { chunk }) => ({ dx: gradReference(inputs, chunk, false).dx }),
  kernel: (inputs, { chunk }) => headCrossEntropyGradXBy(gpuKernels, inputs, chunk),
  float16: { inputs: ['x', 'weight'], when: chunksCanBeViews },
  gradient: null,
  bench: (sizes, inputs) => gradBench(sizes, inputs, 4),
  cases: GRAD_CASES,
});

type Context = GradientContext<Inputs, HeadCrossEntropyAttrs, Outputs>;
const gradients = perNode(
  ({ inputs: { x, weight, targets }, outputs: { lse }, dy, attrs, into }: Context) =>
    run(headCrossEntropyGrad, { x, weight, targets, lse, dloss: required(dy.loss) }, attrs, {
      dx: into.x,
      weight: into.weight,
    }),
);

/** The gradient of x alone, if the weight is frozen. */
const gradientOfX = ({ inputs, outputs: { lse }, dy, attrs, into }: Context): Tensor =>
  run(headCrossEntropyGradX, { ...inputs, lse, dloss: required(dy.loss) }, attrs, { dx: into.x })
    .dx;

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
  kernel: (inputs, attrs) => headCrossEntropyBy(gpuKernels, inputs, attrs),
  float16: { inputs: ['x', 'weight'], when: chunksCanBeViews },
  gradient: {
    saves: { inputs: ['x', 'weight', 'targets'], outputs: ['lse'] },
    from: ['loss'],
    to: {
      x: (context: Context) =>
        context.wanted.weight ? gradients(context).dx : gradientOfX(context),
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
