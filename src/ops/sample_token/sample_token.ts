/**
 * Samples each row's next token on the device that holds its logits. The host's sampler
 * (`sampler.ts`) is both oracle and reference. Kernel and host order tokens alike (by logit, then by
 * id) and draw with the same 32 bits. The kernel computes probabilities in float32 and sums them as
 * integers, so the two differ only if the draw, or the limit of top-p or min-p, falls within about
 * 1e-6 of the border between two tokens; then the kernel takes the neighbour. It never draws a token
 * whose probability is below 2^-32. The kernel of the processor computes in float64 as the host
 * does; only the options are float32.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { dispatch, output, runOnProcessor } from '../../backend/index.ts';
import {
  type CaseRandom,
  defineOp,
  type Hosts,
  type HostTensor,
  type OpCase,
  type OpDefinition,
} from '../define.ts';
import { dims2 } from '../host.ts';
import draw from './draw.wgsl?raw';
import main from './sample_token.wgsl?raw';
import { RIVALS, sampleToken, type SamplingOptions, uniformAt } from './sampler.ts';
import state from './sampling_state.wgsl?raw';
import search from './token_search.wgsl?raw';

/**
 * One WGSL module in four files: bindings, workgroup state and arithmetic; random bits; the searches
 * for top-k, top-p and the drawn token; the likeliest tokens and the entry point.
 */
const code = [state, draw, search, main].join('\n');

export type SampleTokenAttrs = Record<string, never>;
type Input = 'logits' | 'control' | 'progress' | 'options';
type Output = 'ids' | 'probabilities';

/** Tokens reported for each row: the chosen one, then the likeliest others. */
export const CHOICE_TOKENS = RIVALS + 1;
/**
 * Columns of `control`: the row's seed, whether the row is active (1 or 0), and its stop token (-1
 * for none).
 */
export const CONTROL_COLUMNS = 3;
/**
 * Columns of `progress`: the number of tokens generated so far, which is also the position of the
 * draw, and the number of tokens still to generate.
 */
export const PROGRESS_COLUMNS = 2;

/**
 * Length of `options`: temperature, top_k, top_p, min_p, and the vocabulary's limit. Ids from the
 * limit on are padding of the model and never chosen; 0 if there is none.
 */
export const OPTIONS = 5;

/** A row takes 12 bytes a token of the 4 MB of scratch memory that a thread has. */
const MAX_PROCESSOR_VOCAB = 340_000;

/** The inputs of all rows as plain arrays. */
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
  const [temperature = 0, top_k = 0, top_p = 1, min_p = 0, limit = 0] = Array.from(options);
  const sampled = limit > 0 ? Math.min(limit, vocab_size) : vocab_size;
  const ids: number[] = [];
  const probabilities: number[] = [];
  const allLogits = Float32Array.from(logits);
  for (let b = 0; b < rows; b++) {
    const choice = sampleToken(
      allLogits.subarray(b * vocab_size, b * vocab_size + sampled),
      { temperature, top_k, top_p, min_p },
      uniformAt(control[CONTROL_COLUMNS * b] ?? 0, progress[PROGRESS_COLUMNS * b] ?? 0),
    );
    const reported = [choice, ...choice.rivals];
    for (let j = 0; j < CHOICE_TOKENS; j++) {
      ids.push(reported[j]?.id ?? -1);
      probabilities.push(reported[j]?.probability ?? 0);
    }
  }
  return { ids, probabilities };
}

function oracle({ logits, control, progress, options }: Hosts<Input>): Hosts<Output> {
  const [rows, vocab_size] = dims2(logits.shape);
  const shape = [rows, CHOICE_TOKENS];
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

/** The logits of a case. */
interface CaseLogits {
  rows: number;
  vocab_size: number;
  /** Makes `n` logits. */
  make: (random: CaseRandom, n: number) => HostTensor;
}

const normal = (rows: number, vocab_size: number, std: number): CaseLogits => ({
  rows,
  vocab_size,
  make: (random, n) => random.normal([n], std),
});

/** Four different values, 0 and -0 among them, so that most tokens are tied. */
const ties = (rows: number, vocab_size: number): CaseLogits => ({
  rows,
  vocab_size,
  make: (random, n) => {
    const kinds = Array.from(random.ints([n], 4).data);
    return random.values(
      [n],
      kinds.map((kind) => [0, -0, 1.5, -2][kind] ?? 0),
    );
  },
});

/** Logits that grow with the id, so that a sampler that forgets the limit takes the last ones. */
const likelyPadding = (rows: number, vocab_size: number): CaseLogits => ({
  rows,
  vocab_size,
  make: (random, n) => {
    const noise = Array.from(random.normal([n]).data);
    return random.values(
      [n],
      noise.map((x, i) => x + (10 * (i % vocab_size)) / vocab_size),
    );
  },
});

const equal = (rows: number, vocab_size: number): CaseLogits => ({
  rows,
  vocab_size,
  make: (random, n) => random.values([n], new Array<number>(n).fill(-3.25)),
});

const DEFAULTS: SamplingOptions = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };

function sampleCase(
  name: string,
  { rows, vocab_size, make }: CaseLogits,
  options: Partial<SamplingOptions & { vocab_limit: number }> = {},
): OpCase<Input, SampleTokenAttrs> {
  const { temperature, top_k, top_p, min_p, vocab_limit = 0 } = { ...DEFAULTS, ...options };
  const control = Array.from({ length: rows }, (_, b) => [1337 + 7919 * b, 1, -1]);
  const progress = Array.from({ length: rows }, (_, b) => [5 * b, 1]);
  return {
    name,
    attrs: {},
    inputs: (random) => ({
      logits: { ...make(random, rows * vocab_size), shape: [rows, vocab_size] },
      control: random.values([rows, CONTROL_COLUMNS], control.flat(), 'int32'),
      progress: random.values([rows, PROGRESS_COLUMNS], progress.flat(), 'int32'),
      options: random.values([OPTIONS], [temperature, top_k, top_p, min_p, vocab_limit]),
    }),
  };
}

/**
 * logits [B, vocab_size], control int32 [B, 3], progress int32 [B, 2] and options [5] (temperature,
 * top_k, top_p, min_p as in SamplingOptions, and the limit of the vocabulary) -> ids int32 [B, 5]
 * and probabilities [B, 5]: the chosen token, then the four likeliest others. The probabilities are
 * the model's own, before temperature and truncation, over the tokens below the limit; if there are
 * fewer tokens, the rest is -1 and 0. Logits must be finite. The operation has no gradient.
 */
export const sampleTokens: OpDefinition<Input, SampleTokenAttrs, Output, never> = defineOp({
  name: 'sample_token',
  inputs: ['logits', 'control', 'progress', 'options'],
  outputs: ['ids', 'probabilities'],
  oracle,
  reference: ({ logits, control, progress, options }) => {
    const [rows, vocab_size] = dims2(logits.shape);
    const shape: [number, number] = [rows, CHOICE_TOKENS];
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
    const ids = output([rows, CHOICE_TOKENS], 'int32');
    const probabilities = output([rows, CHOICE_TOKENS]);
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
  processor: ({ logits, control, progress, options }) => {
    const [rows, vocab_size] = dims2(logits.shape);
    const ids = output([rows, CHOICE_TOKENS], 'int32');
    const probabilities = output([rows, CHOICE_TOKENS]);
    if (vocab_size > MAX_PROCESSOR_VOCAB)
      throw new RangeError(
        `The processor samples from at most ${MAX_PROCESSOR_VOCAB} tokens, and the model has ` +
          `${vocab_size}.`,
      );
    runOnProcessor({
      kernel: 'sample_token',
      writes: [ids, probabilities],
      updates: [],
      reads: [logits, control, progress, options],
      params: [
        ['i32', rows],
        ['i32', vocab_size],
      ],
    });
    return { ids, probabilities };
  },
  gradient: null,
  bench: ({ B, V }, inputs) =>
    [1, B].flatMap((rows) =>
      [
        { title: 'plain', options: [1, 0, 1, 0, 0] },
        { title: 'top_k 50, top_p 0.9', options: [1, 50, 0.9, 0, 0] },
      ].map(({ title, options }) => ({
        title: `${rows} rows of ${V}, ${title}`,
        attrs: {},
        inputs: {
          logits: inputs.normal(rows, V),
          control: inputs.int32([rows, CONTROL_COLUMNS], (i) => i),
          progress: inputs.int32([rows, PROGRESS_COLUMNS], () => 9),
          options: inputs.float32(options),
        },
      })),
    ),
  cases: [
    sampleCase('greedy', normal(2, 70, 2), { temperature: 0 }),
    sampleCase('greedy, ties', ties(2, 20), { temperature: 0 }),
    sampleCase('the whole vocabulary', normal(8, 300, 1)),
    sampleCase('three tokens', normal(4, 3, 1), { temperature: 0.7 }),
    sampleCase('temperature', normal(8, 90, 3), { temperature: 0.6 }),
    sampleCase('top_k', normal(8, 1000, 1), { top_k: 40 }),
    sampleCase('top_k above 256', normal(8, 1000, 0.1), { top_k: 700, temperature: 1.3 }),
    sampleCase('top_k of the whole vocabulary', normal(4, 50, 1), { top_k: 50 }),
    sampleCase('top_p', normal(8, 900, 2), { top_p: 0.9 }),
    sampleCase('top_p, flat', normal(8, 1000, 0.3), { top_p: 0.6, temperature: 2 }),
    sampleCase('top_p of 0', normal(3, 400, 1), { top_p: 0 }),
    sampleCase('min_p', normal(8, 400, 2), { min_p: 0.1 }),
    sampleCase('all options', normal(8, 700, 2), {
      temperature: 0.9,
      top_k: 300,
      top_p: 0.95,
      min_p: 0.02,
    }),
    sampleCase('ties', ties(8, 1500), { top_k: 900, top_p: 0.8 }),
    sampleCase('all equal', equal(4, 600), { top_k: 400 }),
    sampleCase('all equal, by mass', equal(4, 600), { top_p: 0.501 }),
    sampleCase('large differences', normal(4, 400, 60), { top_p: 0.99 }),
    sampleCase('padded rows', likelyPadding(8, 320), { vocab_limit: 257 }),
    sampleCase('padded rows, greedy', likelyPadding(2, 320), { vocab_limit: 257, temperature: 0 }),
    sampleCase('padded rows, all options', likelyPadding(8, 900), {
      vocab_limit: 700,
      temperature: 0.9,
      top_k: 300,
      top_p: 0.95,
      min_p: 0.02,
    }),
    sampleCase('padded rows, ties', ties(4, 1500), { vocab_limit: 1200, top_k: 900, top_p: 0.8 }),
    sampleCase('three tokens of a padded vocabulary', likelyPadding(4, 64), { vocab_limit: 3 }),
    sampleCase('a limit above the vocabulary', normal(4, 90, 1), { vocab_limit: 100 }),
  ],
});
