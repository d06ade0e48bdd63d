/**
 * `token_entropy` of the head's logits, which exist for `chunk` tokens of the vocabulary at a time. Its
 * log-sum-exp may be that of a larger vocabulary, of which the weight has some rows: each rank of
 * tensor parallelism computes -sum p log p of its tokens, and the sum over the ranks is the entropy.
 */
import { add, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { addInPlace } from '../../backend/index.ts';
import { crossEntropy } from '../cross_entropy/cross_entropy.ts';
import { defineOp, type Hosts, run, type Tensors } from '../define.ts';
import { dims2 } from '../host.ts';
import { matmul, referenceMatmul } from '../matmul/matmul.ts';
import { matmulProcessor } from '../matmul/processor.ts';
import { tokenEntropy } from '../token_entropy/token_entropy.ts';
import { CASES } from './cases.ts';
import { benchChunk, rowsOf } from './head_cross_entropy.ts';
import { chunksOf, eachChunk, gpuKernels, type HeadKernels } from './kernels.ts';

type Inputs = 'x' | 'weight' | 'lse';

interface HeadTokenEntropyAttrs {
  /** Tokens of the vocabulary whose logits exist at one time. */
  chunk: number;
}

const NT = { transpose_a: false, transpose_b: true };

const oracleLogits = ({ x, weight }: Hosts<'x' | 'weight'>) =>
  matmul.oracle({ a: x, b: weight }, NT).c;

function reference({ x, weight, lse }: Tensors<Inputs>, chunk: number): Tensor {
  const [v] = dims2(weight.shape);
  return tidy(() =>
    chunksOf(v, chunk)
      .map((tokens) => {
        const logits = referenceMatmul(x, rowsOf(weight, tokens), NT);
        return tokenEntropy.reference({ logits, lse }, {}).entropy;
      })
      .reduce((sum, part) => add(sum, part)),
  );
}

function byKernels(
  kernels: Pick<HeadKernels, 'matmul'>,
  { x, weight, lse }: Tensors<Inputs>,
  chunk: number,
): Tensors<'entropy'> {
  const parts: Tensor[] = [];
  eachChunk(kernels, { x, weight }, chunk, (logits) => {
    const { entropy } = run(tokenEntropy, { logits, lse }, {});
    const [sum] = parts;
    if (!sum) {
      parts.push(entropy);
      return;
    }
    addInPlace(sum, entropy);
    entropy.dispose();
  });
  const [entropy] = parts;
  if (!entropy) throw new Error('head_token_entropy: the vocabulary is empty.');
  return { entropy };
}

/** x [N, D], weight [V, D], lse [N] -> entropy [N], nats: the part of the tokens of the weight. */
export const headTokenEntropy = defineOp({
  name: 'head_token_entropy',
  inputs: ['x', 'weight', 'lse'],
  outputs: ['entropy'],
  oracle: ({ x, weight, lse }, _: HeadTokenEntropyAttrs) =>
    tokenEntropy.oracle({ logits: oracleLogits({ x, weight }), lse }, {}),
  reference: (inputs, { chunk }) => ({ entropy: reference(inputs, chunk) }),
  kernel: (inputs, { chunk }) => byKernels(gpuKernels, inputs, chunk),
  processor: (inputs, { chunk }) => byKernels({ matmul: matmulProcessor }, inputs, chunk),
  gradient: null,
  bench: ({ N, D, V }, inputs) => [
    {
      attrs: { chunk: benchChunk(V) },
      inputs: { x: inputs.normal(N, D), weight: inputs.normal(V, D), lse: inputs.full(10, N) },
      flops: 2 * N * V * D,
    },
  ],
  cases: CASES.map(({ name, attrs, inputs }) => ({
    name,
    attrs: { chunk: attrs.chunk },
    inputs: (random) => {
      const { x, weight, targets } = inputs(random);
      const { lse } = crossEntropy.oracle({ logits: oracleLogits({ x, weight }), targets }, {});
      // As if other ranks had as much of the probability again.
      for (let i = 0; i < lse.data.length; i++) lse.data[i] = (lse.data[i] ?? NaN) + Math.LN2;
      return { x, weight, lse };
    },
  })),
});
