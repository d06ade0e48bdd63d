/**
 * `embedding` of a table that holds a part of the vocabulary (Shoeybi et al. 2019): rows of ids that
 * other ranks hold are zeros, so that the sum over the ranks is the embedding.
 */
import {
  expandDims,
  gather,
  greaterEqual,
  maximum,
  mul,
  scalar,
  where,
} from '@tensorflow/tfjs-core';
import { type CaseRandom, defineOp, type Hosts } from '../define.ts';
import { at, dims2, zeros } from '../host.ts';
import { benchIds } from './bench.ts';
import { embeddingGradient, type Ids, withSegments } from './embedding.ts';
import { rowsKernel } from './kernels.ts';
import { embeddingProcessor } from './processor.ts';
import { sortLocalSegments } from './local_segments.ts';
import code from './vocab_parallel_embedding.wgsl?raw';

/** Ids of a table of `size` rows, and negative ones. */
function localIds(random: CaseRandom, n: number, size: number): Hosts<Ids> {
  const ids = random.ints([n], 2 * size);
  ids.data.forEach((id, i) => (ids.data[i] = id < size ? id : -1 - id));
  return withSegments(random, ids, sortLocalSegments(Int32Array.from(ids.data), size));
}

/**
 * weight [V, d], ids [N] from 0 to V - 1 or negative, sorted [N], starts [V + 1] (int32, from
 * `sortLocalSegments`; the gradient reads them) -> y [N, d].
 */
export const vocabParallelEmbedding = defineOp({
  name: 'vocab_parallel_embedding',
  inputs: ['weight', 'ids', 'sorted', 'starts'],
  outputs: ['y'],
  oracle: ({ weight, ids }, _: object) => {
    const [, d] = dims2(weight.shape);
    const n = ids.data.length;
    const y = zeros([n, d]);
    for (let i = 0; i < n; i++) {
      if (at(ids, i) < 0) continue;
      for (let j = 0; j < d; j++) y.data[i * d + j] = at(weight, at(ids, i) * d + j);
    }
    return { y };
  },
  reference: ({ weight, ids }) => {
    const here = where(greaterEqual(ids, scalar(0, 'int32')), 1, 0);
    const rows = gather(weight, maximum(ids, scalar(0, 'int32')));
    return { y: mul(rows, expandDims(here, 1)) };
  },
  kernel: ({ weight, ids }) => ({
    y: rowsKernel(weight, ids, { name: 'vocab_parallel_embedding', code, reads: [weight, ids] }),
  }),
  processor: ({ weight, ids }) => ({ y: embeddingProcessor(weight, ids) }),
  float16: { inputs: [] },
  gradient: embeddingGradient,
  bench: ({ N, D, V }, inputs) => [
    { attrs: {}, inputs: { weight: inputs.normal(V, D), ...benchIds(inputs, N, V) } },
  ],
  cases: [
    { name: '37 of 11', n: 37, size: 11, d: 9 },
    { name: 'rows of four', n: 9, size: 11, d: 8 },
    { name: 'one row', n: 3, size: 1, d: 5 },
  ].map(({ name, n, size, d }) => ({
    name,
    attrs: {},
    inputs: (random) => ({ weight: random.normal([size, d]), ...localIds(random, n, size) }),
  })),
});
