/**
 * Entropy of the distribution over the next token, from the logits and the log-sum-exp that
 * `cross_entropy` gives: -sum p log p, where log p = logit - lse. A metric of objectives beyond
 * pretraining (TRL's `entropy`), so it has no gradient.
 */
import { exp, expandDims, mul, neg, sub, sum } from '@tensorflow/tfjs-core';
import { dispatch, grid, output, runOnProcessor } from '../../backend/index.ts';
import { type CaseRandom, defineOp, type Hosts } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { crossEntropy } from '../cross_entropy/cross_entropy.ts';
import { threadsForRow, unitCode, widthOf, workgroupSum } from '../wgsl/index.ts';
import code from './token_entropy.wgsl?raw';

function oracle({ logits, lse }: Hosts<'logits' | 'lse'>): Hosts<'entropy'> {
  const [n, v] = dims2(logits.shape);
  const entropy = zeros([n]);
  for (let i = 0; i < n; i++)
    for (let j = 0; j < v; j++) {
      const logp = at(logits, i * v + j) - at(lse, i);
      entropy.data[i] = at(entropy, i) - Math.exp(logp) * logp;
    }
  return { entropy };
}

const inputsOf = (random: CaseRandom, n: number, v: number, std: number) => {
  const logits = random.normal([n, v], std);
  const targets = random.ints([n], v);
  return { logits, lse: crossEntropy.oracle({ logits, targets }, {}).lse };
};

const SIZES = [
  ['37x96', 37, 96, 2],
  ['one row', 1, 5, 1],
  ['2x3501', 2, 3501, 2],
  // One token has nearly all of the probability.
  ['nearly certain', 3, 300, 20],
] as const;

/** logits [N, V], lse [N] -> entropy [N], nats. */
export const tokenEntropy = defineOp({
  name: 'token_entropy',
  inputs: ['logits', 'lse'],
  outputs: ['entropy'],
  oracle: (inputs, _: object) => oracle(inputs),
  reference: ({ logits, lse }) => {
    const logps = sub(logits, expandDims(lse, 1));
    return { entropy: neg(sum(mul(exp(logps), logps), 1)) };
  },
  kernel: ({ logits, lse }) => {
    const [n, v] = dims2(logits.shape);
    const width = widthOf(v);
    const entropy = output([n]);
    dispatch({
      name: 'token_entropy',
      code: unitCode(width, { logits }) + workgroupSum + code,
      constants: { WORKGROUP: threadsForRow(v) },
      writes: [entropy],
      reads: [logits, lse],
      params: [
        ['u32', n],
        ['u32', v / width],
      ],
      workgroups: grid(n),
    });
    return { entropy };
  },
  processor: ({ logits, lse }) => {
    const [n, v] = dims2(logits.shape);
    const entropy = output([n]);
    runOnProcessor({
      kernel: 'token_entropy',
      writes: [entropy],
      reads: [logits, lse],
      params: [
        ['i32', n],
        ['i32', v],
      ],
    });
    return { entropy };
  },
  float16: { inputs: ['logits'] },
  gradient: null,
  bench: ({ N, V }, inputs) => [
    { attrs: {}, inputs: { logits: inputs.normal(N, V), lse: inputs.full(10, N) } },
  ],
  cases: SIZES.map(([name, n, v, std]) => ({
    name,
    attrs: {},
    inputs: (random) => inputsOf(random, n, v, std),
  })),
});
