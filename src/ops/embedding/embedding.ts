/**
 * Token embedding: y[i] = weight[ids[i]]. The gradient sums the rows of dy by id in a fixed order
 * (from `sortSegments`), so that runs are reproducible; tfjs's own gradient uses floating-point
 * compare-and-swap. Ids are not checked on the GPU: `sortSegments` rejects those outside the table.
 */
import { gather, type Rank, reshape, unsortedSegmentSum } from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type Hosts, type OpDefinition, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { embeddingGradKernel, embeddingKernel } from './kernels.ts';
import { sortSegments } from './segments.ts';
import { benchIds } from './bench.ts';

export type Ids = 'ids' | 'sorted' | 'starts';

/** Draws n ids below `below` for a table of `size` rows, for cases. */
export function idInputs(random: CaseRandom, n: number, size: number, below = size): Hosts<Ids> {
  const ids = random.ints([n], below);
  return withSegments(random, ids, sortSegments(Int32Array.from(ids.data), size));
}

/** `ids` with what `sortSegments` says of them, for cases. */
export const withSegments = (
  random: CaseRandom,
  ids: Hosts<Ids>['ids'],
  { sorted, starts }: ReturnType<typeof sortSegments>,
): Hosts<Ids> => ({
  ids,
  sorted: random.values([sorted.length], [...sorted], 'int32'),
  starts: random.values([starts.length], [...starts], 'int32'),
});

/**
 * Gradient of `embedding`: dy [N, d], ids [N], sorted [N], starts [V + 1] (int32) -> weight [V, d],
 * which can accumulate into a buffer. The reference reads ids, the kernel sorted and starts.
 */
export const embeddingGrad = defineOp({
  name: 'embedding_grad',
  inputs: ['dy', 'ids', 'sorted', 'starts'],
  outputs: ['weight'],
  oracle: ({ dy, sorted, starts }, _: object) => {
    const [, d] = dims2(dy.shape);
    const size = starts.data.length - 1;
    const weight = zeros([size, d]);
    for (let v = 0; v < size; v++)
      for (let k = at(starts, v); k < at(starts, v + 1); k++)
        for (let j = 0; j < d; j++) {
          weight.data[v * d + j] = at(weight, v * d + j) + at(dy, at(sorted, k) * d + j);
        }
    return { weight };
  },
  reference: ({ dy, ids, starts }) => ({
    weight: unsortedSegmentSum(dy, reshape<Rank.R1>(ids, [ids.size]), starts.size - 1),
  }),
  kernel: ({ dy, sorted, starts }, _, into) => ({
    weight: embeddingGradKernel(dy, sorted, starts, into.weight),
  }),
  float16: { inputs: ['dy'] },
  accumulates: ['weight'],
  gradient: null,
  bench: ({ N, D, V }, inputs) => [
    { attrs: {}, inputs: { dy: inputs.normal(N, D), ...benchIds(inputs, N, V) } },
  ],
  cases: [
    {
      name: '37 of 11',
      attrs: {},
      inputs: (random) => ({ dy: random.normal([37, 96]), ...idInputs(random, 37, 11) }),
    },
    {
      name: 'one row',
      attrs: {},
      inputs: (random) => ({ dy: random.normal([1, 7]), ...idInputs(random, 1, 3) }),
    },
    {
      name: 'long segments',
      attrs: {},
      inputs: (random) => ({ dy: random.normal([700, 5]), ...idInputs(random, 700, 4, 2) }),
    },
  ],
});

/** Of operations with these inputs: the rows of dy whose id is not negative, by id. */
export const embeddingGradient: OpDefinition<'weight' | Ids, object, 'y', 'weight'>['gradient'] = {
  saves: { inputs: ['ids', 'sorted', 'starts'], outputs: [] },
  from: ['y'],
  to: {
    weight: ({ inputs: { ids, sorted, starts }, dy, into }) =>
      run(embeddingGrad, { dy: required(dy.y), ids, sorted, starts }, {}, { weight: into.weight })
        .weight,
  },
};

/**
 * weight [V, d], ids [N], sorted [N], starts [V + 1] (int32; the gradient reads the last two) -> y
 * [N, d].
 */
export const embedding = defineOp({
  name: 'embedding',
  inputs: ['weight', 'ids', 'sorted', 'starts'],
  outputs: ['y'],
  oracle: ({ weight, ids }, _: object) => {
    const [, d] = dims2(weight.shape);
    const n = ids.data.length;
    const y = zeros([n, d]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < d; j++) y.data[i * d + j] = at(weight, at(ids, i) * d + j);
    return { y };
  },
  reference: ({ weight, ids }) => ({ y: gather(weight, ids) }),
  kernel: ({ weight, ids }) => ({ y: embeddingKernel(weight, ids) }),
  float16: { inputs: [] },
  gradient: embeddingGradient,
  bench: ({ N, D, V }, inputs) => [
    { attrs: {}, inputs: { weight: inputs.normal(V, D), ...benchIds(inputs, N, V) } },
  ],
  cases: [
    {
      name: '37 of 11',
      attrs: {},
      inputs: (random) => ({ weight: random.normal([11, 9]), ...idInputs(random, 37, 11) }),
    },
    {
      name: 'rows of four',
      attrs: {},
      inputs: (random) => ({ weight: random.normal([11, 8]), ...idInputs(random, 9, 11) }),
    },
    {
      name: 'one row',
      attrs: {},
      inputs: (random) => ({ weight: random.normal([3, 5]), ...idInputs(random, 1, 3) }),
    },
  ],
});
