/** What the checks of the head's cross-entropy run with. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { CaseRandom, Hosts, OpCase } from '../define.ts';

export interface HeadCrossEntropyAttrs {
  /** Tokens of the vocabulary whose logits exist at one time. */
  chunk: number;
  /**
   * Merges the row states [N, 4] of `cross_entropy_chunk` with those of the ranks that hold other
   * parts of the vocabulary (`../../parallel`). Targets are relative to the first row of the weight,
   * and outside its rows where another rank has them. Own kernels only.
   */
  exchange?: ((states: Tensor) => void) | undefined;
}

export type Inputs = 'x' | 'weight' | 'targets';

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

export const CASES: OpCase<Inputs, HeadCrossEntropyAttrs>[] = [
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
