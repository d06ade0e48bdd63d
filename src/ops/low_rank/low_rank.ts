/**
 * The second half of a LoRA layer (Hu et al. 2021): y = base + scale h b, where `linear` has computed
 * h = x A. Layers that are packed side by side (q, k, v; gate, up) have a pair of matrices for each
 * part, as in PEFT: the first matrices lie side by side in A [in, parts r], the second ones in
 * b [r, out], and each part multiplies its own r columns of h by its own columns of b.
 */
import { add, concat, matMul, mul, slice } from '@tensorflow/tfjs-core';
import { defineOp, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { inRowsOfFour, type LowRankAttrs, partOfColumns } from './attrs.ts';
import { lowRankBenches, lowRankCases } from './cases.ts';
import { lowRankAddKernel } from './kernels.ts';
import { lowRankGradB, lowRankGradH } from './low_rank_grad.ts';
import { lowRankAddProcessor } from './processor_calls.ts';

export type { LowRankAttrs } from './attrs.ts';

type Input = 'base' | 'h' | 'b';

/** base [N, out], h [N, parts r], b [r, out] -> y [N, out]. */
export const lowRankAdd: OpDefinition<Input, LowRankAttrs, 'y', Input> = defineOp({
  name: 'low_rank_add',
  inputs: ['base', 'h', 'b'],
  outputs: ['y'],
  oracle: ({ base, h, b }, attrs: LowRankAttrs) => {
    const [N, out] = dims2(base.shape);
    const [r] = dims2(b.shape);
    const columns = r * attrs.parts.length;
    const partOf = partOfColumns(attrs);
    const y = zeros(base.shape);
    for (let n = 0; n < N; n++)
      for (let j = 0; j < out; j++) {
        const first = n * columns + (partOf[j] ?? NaN) * r;
        let sum = 0;
        for (let k = 0; k < r; k++) sum += at(h, first + k) * at(b, k * out + j);
        y.data[n * out + j] = at(base, n * out + j) + attrs.scale * sum;
      }
    return { y };
  },
  reference: ({ base, h, b }, { scale, parts }) => {
    const [N] = dims2(base.shape);
    const [r] = dims2(b.shape);
    let start = 0;
    const updates = parts.map((width, part) => {
      const columns = slice(b, [0, start], [r, width]);
      start += width;
      return matMul(slice(h, [0, part * r], [N, r]), columns);
    });
    return { y: add(base, mul(concat(updates, 1), scale)) };
  },
  kernel: ({ base, h, b }, attrs) => ({ y: lowRankAddKernel(base, h, b, attrs) }),
  processor: ({ base, h, b }, attrs) => ({ y: lowRankAddProcessor(base, h, b, attrs) }),
  float16: { inputs: ['base'], when: (_, attrs) => inRowsOfFour(attrs) },
  gradient: {
    saves: { inputs: ['h', 'b'], outputs: [] },
    from: ['y'],
    to: {
      base: ({ dy }) => required(dy.y),
      h: ({ inputs: { b }, attrs, dy }) => run(lowRankGradH, { dy: required(dy.y), b }, attrs).dh,
      b: ({ inputs: { h }, attrs, dy, into }) =>
        run(lowRankGradB, { h, dy: required(dy.y) }, attrs, { db: into.b }).db,
    },
  },
  bench: lowRankBenches((inputs, { N, r, out, columns }) => ({
    base: inputs.normal(N, out),
    h: inputs.normal(N, columns),
    b: inputs.normal(r, out),
  })),
  cases: lowRankCases((random, { N, r, out, columns }) => ({
    base: random.normal([N, out]),
    h: random.normal([N, columns]),
    b: random.normal([r, out]),
  })),
});
