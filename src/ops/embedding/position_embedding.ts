/**
 * Token and learned position embedding in one operation (GPT-2): y[i] = weight[ids[i]] +
 * position_weight[positions[i]].
 */
import { add, gather } from '@tensorflow/tfjs-core';
import { defineOp, run } from '../define.ts';
import { required } from '../gradient.ts';
import { at, dims2, zeros } from '../host.ts';
import { embeddingGrad, idInputs } from './embedding.ts';
import { embeddingKernel } from './kernels.ts';
import { benchIds } from './bench.ts';

/**
 * weight [V, d] indexed by ids, position_weight [T, d] indexed by positions -> y [N, d]. sorted and
 * positions_sorted [N], starts [V + 1] and positions_starts [T + 1] come from `sortSegments` for
 * the gradients. All indices are int32.
 */
export const positionEmbedding = defineOp({
  name: 'position_embedding',
  inputs: [
    'weight',
    'ids',
    'sorted',
    'starts',
    'position_weight',
    'positions',
    'positions_sorted',
    'positions_starts',
  ],
  outputs: ['y'],
  oracle: ({ weight, ids, position_weight, positions }, _: object) => {
    const [, d] = dims2(weight.shape);
    const n = ids.data.length;
    const y = zeros([n, d]);
    for (let i = 0; i < n; i++)
      for (let j = 0; j < d; j++)
        y.data[i * d + j] =
          at(weight, at(ids, i) * d + j) + at(position_weight, at(positions, i) * d + j);
    return { y };
  },
  reference: ({ weight, ids, position_weight, positions }) => ({
    y: add(gather(weight, ids), gather(position_weight, positions)),
  }),
  float16: { inputs: ['weight', 'position_weight'] },
  kernel: ({ weight, ids, position_weight, positions }) => ({
    y: embeddingKernel(weight, ids, { weight: position_weight, positions }),
  }),
  gradient: {
    saves: {
      inputs: ['ids', 'sorted', 'starts', 'positions', 'positions_sorted', 'positions_starts'],
      outputs: [],
    },
    from: ['y'],
    to: {
      weight: ({ inputs: { ids, sorted, starts }, dy, into }) =>
        run(embeddingGrad, { dy: required(dy.y), ids, sorted, starts }, {}, { weight: into.weight })
          .weight,
      position_weight: ({ inputs: { positions, positions_sorted, positions_starts }, dy, into }) =>
        run(
          embeddingGrad,
          {
            dy: required(dy.y),
            ids: positions,
            sorted: positions_sorted,
            starts: positions_starts,
          },
          {},
          { weight: into.position_weight },
        ).weight,
    },
  },
  bench: ({ T, N, D, V }, inputs) => {
    const positions = benchIds(inputs, N, T);
    return [
      {
        attrs: {},
        inputs: {
          weight: inputs.normal(V, D),
          ...benchIds(inputs, N, V),
          position_weight: inputs.normal(T, D),
          positions: positions.ids,
          positions_sorted: positions.sorted,
          positions_starts: positions.starts,
        },
      },
    ];
  },
  cases: [
    { name: '37 of 11 and 5', d: 9 },
    { name: 'rows of four', d: 8 },
  ].map(({ name, d }) => ({
    name,
    attrs: {},
    inputs: (random) => {
      const { ids, sorted, starts } = idInputs(random, 37, 5);
      return {
        weight: random.normal([11, d]),
        ...idInputs(random, 37, 11),
        position_weight: random.normal([5, d]),
        positions: ids,
        positions_sorted: sorted,
        positions_starts: starts,
      };
    },
  })),
});
