/**
 * Chooses each row's next token where its logits lie. The host's sampler (`sampler.ts`) is its
 * oracle and its reference; kernel and host order tokens alike (by logit, of equals the first) and
 * draw with the same 32 bits. The kernel's probabilities are float32 and its sums are of integers,
 * so the two differ only where the draw, or the edge of top-p or min-p, falls within about 1e-6 of
 * the border between two tokens: then the neighbour in order is taken. A token below 2^-32 is never
 * drawn.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import {
  type CaseRandom,
  defineOp,
  type Hosts,
  type HostTensor,
  type OpCase,
  type OpDefinition,
} from '../define.ts';
import { dims2 } from '../host.ts';
import code from './sample_token.wgsl?raw';
import { RIVALS, sampleToken, type SamplingOptions, uniformAt } from './sampler.ts';

export type SampleTokenAttrs = Record<string, never>;
type In = 'logits' | 'control' | 'progress' | 'options';
type Out = 'ids' | 'probabilities';

/** Tokens told of a choice: the chosen one, and the likeliest others. */
export const TOLD = RIVALS + 1;
/**
 * Columns of `control`: the row's seed, whether it takes part (1 or 0), and the token that ends it
 * (-1: none).
 */
export const CONTROL = 3;
/**
 * Columns of `progress`: tokens made so far, which is also the number of the draw, and tokens that
 * it may still make.
 */
export const PROGRESS = 2;

interface Rows {
  rows: number;
  vocab_size: number;
  logits: ArrayLike<number>;
  control: ArrayLike<number>;
  progress: ArrayLike<number>;
  options: ArrayLike<number>;
}

function sampleRows({ rows, vocab_size, logits, control, progress, options }: Rows): {
  ids: number[];
  probabilities: number[];
} {
  const [temperature = 0, top_k = 0, top_p = 1, min_p = 0] = Array.from(options);
  const ids: number[] = [];
  const probabilities: number[] = [];
  const all = Float32Array.from(logits);
  for (let b = 0; b < rows; b++) {
    const u = uniformAt(control[CONTROL * b] ?? 0, progress[PROGRESS * b] ?? 0);
    const choice = sampleToken(
      all.subarray(b * vocab_size, (b + 1) * vocab_size),
      { temperature, top_k, top_p, min_p },
      u,
    );
    const told = [choice, ...choice.rivals];
    for (let j = 0; j < TOLD; j++) {
      ids.push(told[j]?.id ?? -1);
      probabilities.push(told[j]?.probability ?? 0);
    }
  }
  return { ids, probabilities };
}

function oracle({ logits, control, progress, options }: Hosts<In>): Hosts<Out> {
  const [rows, vocab_size] = dims2(logits.shape);
  const shape = [rows, TOLD];
  const { ids, probabilities } = sampleRows({
    rows,
    vocab_size,
    logits: logits.data,
    control: control.data,
    progress: progress.data,
    options: options.data,
  });
  return {
    ids: { shape, dtype: 'int32', data: Float64Array.from(ids) },
    probabilities: { shape, dtype: 'float32', data: Float64Array.from(probabilities) },
  };
}

const defaults: SamplingOptions = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
function sampleCase(
  name: string,
  rows: number,
  logits: (r: CaseRandom, n: number) => HostTensor,
  vocab_size: number,
  options: Partial<SamplingOptions> = {},
): OpCase<In, SampleTokenAttrs> {
  const { temperature, top_k, top_p, min_p } = { ...defaults, ...options };
  return {
    name,
    attrs: {},
    inputs: (r) => ({
      logits: { ...logits(r, rows * vocab_size), shape: [rows, vocab_size] },
      control: r.values(
        [rows, CONTROL],
        Array.from({ length: rows }, (_, b) => [1337 + 7919 * b, 1, -1]).flat(),
        'int32',
      ),
      progress: r.values(
        [rows, PROGRESS],
        Array.from({ length: rows }, (_, b) => [5 * b, 1]).flat(),
        'int32',
      ),
      options: r.values([4], [temperature, top_k, top_p, min_p]),
    }),
  };
}
const normal =
  (std: number) =>
  (r: CaseRandom, n: number): HostTensor =>
    r.normal([n], std);
/** A few values many times over: ties everywhere, both zeros among them. */
const ties = (r: CaseRandom, n: number): HostTensor => {
  const of = r.ints([n], 4).data;
  return r.values(
    [n],
    Array.from(of, (v) => [0, -0, 1.5, -2][v] ?? 0),
  );
};
const equal = (r: CaseRandom, n: number): HostTensor =>
  r.values([n], new Array<number>(n).fill(-3.25));

/**
 * logits [B, vocab_size], control int32 [B, 3] (seed, whether it takes part, stop id), progress
 * int32 [B, 2] (tokens made, tokens left), options [4] (temperature, 0 for the likeliest token;
 * top_k, 0 for all; top_p, 1 for all; min_p, 0 for all) -> ids int32 [B, 5] and probabilities [B,
 * 5]: the chosen token, then the four likeliest others, under the model itself (before temperature
 * and truncation); -1 and 0 where the vocabulary has no more. Logits must be finite. It has no
 * gradient.
 */
export const sampleTokens: OpDefinition<In, SampleTokenAttrs, Out, never> = defineOp({
  name: 'sample_token',
  inputs: ['logits', 'control', 'progress', 'options'],
  outputs: ['ids', 'probabilities'],
  oracle,
  reference: ({ logits, control, progress, options }) => {
    const [rows, vocab_size] = dims2(logits.shape);
    const shape: [number, number] = [rows, TOLD];
    const { ids, probabilities } = sampleRows({
      rows,
      vocab_size,
      logits: logits.dataSync(),
      control: control.dataSync(),
      progress: progress.dataSync(),
      options: options.dataSync(),
    });
    return {
      ids: tensor(Int32Array.from(ids), shape, 'int32'),
      probabilities: tensor(Float32Array.from(probabilities), shape),
    };
  },
  kernel: ({ logits, control, progress, options }) => {
    const [rows, vocab_size] = dims2(logits.shape);
    const ids = output([rows, TOLD], 'int32');
    const probabilities = output([rows, TOLD]);
    dispatch({
      name: 'sample_token',
      code,
      writes: [ids, probabilities],
      reads: [logits, control, progress, options],
      params: [['u32', vocab_size]],
      workgroups: [rows, 1, 1],
    });
    return { ids, probabilities };
  },
  gradient: null,
  cases: [
    sampleCase('greedy', 2, normal(2), 70, { temperature: 0 }),
    sampleCase('greedy, ties', 2, ties, 20, { temperature: 0 }),
    sampleCase('the whole vocabulary', 8, normal(1), 300),
    sampleCase('three tokens', 4, normal(1), 3, { temperature: 0.7 }),
    sampleCase('temperature', 8, normal(3), 90, { temperature: 0.6 }),
    sampleCase('top_k', 8, normal(1), 1000, { top_k: 40 }),
    sampleCase('top_k beyond a list', 8, normal(0.1), 1000, { top_k: 700, temperature: 1.3 }),
    sampleCase('top_k of the whole vocabulary', 4, normal(1), 50, { top_k: 50 }),
    sampleCase('top_p', 8, normal(2), 900, { top_p: 0.9 }),
    sampleCase('top_p, flat', 8, normal(0.3), 1000, { top_p: 0.6, temperature: 2 }),
    sampleCase('top_p of 0', 3, normal(1), 400, { top_p: 0 }),
    sampleCase('min_p', 8, normal(2), 400, { min_p: 0.1 }),
    sampleCase('everything', 8, normal(2), 700, {
      temperature: 0.9,
      top_k: 300,
      top_p: 0.95,
      min_p: 0.02,
    }),
    sampleCase('ties', 8, ties, 1500, { top_k: 900, top_p: 0.8 }),
    sampleCase('all equal', 4, equal, 600, { top_k: 400 }),
    sampleCase('all equal, by mass', 4, equal, 600, { top_p: 0.501 }),
    sampleCase('far apart', 4, (r, n) => r.normal([n], 60), 400, { top_p: 0.99 }),
  ],
});
