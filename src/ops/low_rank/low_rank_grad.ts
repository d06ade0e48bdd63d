/** Gradients of `low_rank_add`. That of the base is dy itself. */
import { concat, matMul, mul, slice } from '@tensorflow/tfjs-core';
import { defineOp, type OpDefinition } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { referenceMatmul } from '../matmul/matmul.ts';
import { inRowsOfFour, type LowRankAttrs, partOfColumns } from './attrs.ts';
import { lowRankBenches, lowRankCases } from './cases.ts';
import { lowRankGradBKernel, lowRankGradHKernel } from './kernels.ts';
import { lowRankGradBProcessor, lowRankGradHProcessor } from './processor_calls.ts';

const NT = { transpose_a: false, transpose_b: true };

/** dy [N, out], b [r, out] -> dh [N, parts r]: for each part, scale dy b^T over its columns. */
export const lowRankGradH: OpDefinition<'dy' | 'b', LowRankAttrs, 'dh', never> = defineOp({
  name: 'low_rank_grad_h',
  inputs: ['dy', 'b'],
  outputs: ['dh'],
  oracle: ({ dy, b }, attrs: LowRankAttrs) => {
    const [N, out] = dims2(dy.shape);
    const [r] = dims2(b.shape);
    const columns = r * attrs.parts.length;
    const dh = zeros([N, columns]);
    const partOf = partOfColumns(attrs);
    for (let n = 0; n < N; n++)
      for (let j = 0; j < out; j++)
        for (let k = 0; k < r; k++) {
          const i = n * columns + (partOf[j] ?? NaN) * r + k;
          dh.data[i] = at(dh, i) + attrs.scale * at(dy, n * out + j) * at(b, k * out + j);
        }
    return { dh };
  },
  reference: ({ dy, b }, { scale, parts }) => {
    const [N] = dims2(dy.shape);
    const [r] = dims2(b.shape);
    let start = 0;
    const gradients = parts.map((width) => {
      const operands = [
        slice(dy, [0, start], [N, width]),
        slice(b, [0, start], [r, width]),
      ] as const;
      start += width;
      return referenceMatmul(...operands, NT);
    });
    return { dh: mul(concat(gradients, 1), scale) };
  },
  kernel: ({ dy, b }, attrs) => ({ dh: lowRankGradHKernel(dy, b, attrs) }),
  processor: ({ dy, b }, attrs) => ({ dh: lowRankGradHProcessor(dy, b, attrs) }),
  float16: { inputs: ['dy'], when: (_, attrs) => inRowsOfFour(attrs) },
  gradient: null,
  bench: lowRankBenches((inputs, { N, r, out }) => ({
    dy: inputs.normal(N, out),
    b: inputs.normal(r, out),
  })),
  cases: lowRankCases((random, { N, r, out }) => ({
    dy: random.normal([N, out]),
    b: random.normal([r, out]),
  })),
});

/** h [N, parts r], dy [N, out] -> db [r, out]: for each part, scale h^T dy. Accumulates. */
export const lowRankGradB: OpDefinition<'h' | 'dy', LowRankAttrs, 'db', never> = defineOp({
  name: 'low_rank_grad_b',
  inputs: ['h', 'dy'],
  outputs: ['db'],
  oracle: ({ h, dy }, attrs: LowRankAttrs) => {
    const [N, out] = dims2(dy.shape);
    const [, columns] = dims2(h.shape);
    const r = columns / attrs.parts.length;
    const db = zeros([r, out]);
    const partOf = partOfColumns(attrs);
    for (let n = 0; n < N; n++)
      for (let j = 0; j < out; j++)
        for (let k = 0; k < r; k++) {
          const h_k = at(h, n * columns + (partOf[j] ?? NaN) * r + k);
          db.data[k * out + j] = at(db, k * out + j) + attrs.scale * h_k * at(dy, n * out + j);
        }
    return { db };
  },
  reference: ({ h, dy }, { scale, parts }) => {
    const [N, columns] = dims2(h.shape);
    const r = columns / parts.length;
    let start = 0;
    const gradients = parts.map((width, part) => {
      const dyPart = slice(dy, [0, start], [N, width]);
      start += width;
      return matMul(slice(h, [0, part * r], [N, r]), dyPart, true, false);
    });
    return { db: mul(concat(gradients, 1), scale) };
  },
  kernel: ({ h, dy }, attrs, into) => ({ db: lowRankGradBKernel(h, dy, attrs, into.db) }),
  processor: ({ h, dy }, attrs, into) => ({ db: lowRankGradBProcessor(h, dy, attrs, into.db) }),
  accumulates: ['db'],
  float16: { inputs: ['dy'], when: (_, attrs) => inRowsOfFour(attrs) },
  gradient: null,
  bench: lowRankBenches((inputs, { N, out, columns }) => ({
    h: inputs.normal(N, columns),
    dy: inputs.normal(N, out),
  })),
  cases: lowRankCases((random, { N, out, columns }) => ({
    h: random.normal([N, columns]),
    dy: random.normal([N, out]),
  })),
});
