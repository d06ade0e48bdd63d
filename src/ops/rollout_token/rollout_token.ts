/**
 * One step of a rollout: samples each row's next token by temperature only, records its id and its
 * log-probability at that temperature, and feeds it back as the next input. Policies are compared
 * by these log-probabilities, so there are no other filters (`sample_token` has them), and steps
 * follow one another on the device without a readback in between.
 *
 * Kernels draw as the host's sampler does (`sampler.ts`); on WebGPU a draw within about 1e-6 of the
 * border between two tokens may take the neighbour.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { dispatch, runOnProcessor } from '../../backend/index.ts';
import {
  type CaseRandom,
  defineOp,
  type Hosts,
  type OpCase,
  type OpDefinition,
  recordOf,
  type Tensors,
} from '../define.ts';
import { dims2 } from '../host.ts';
import { threadsForRow } from '../wgsl/index.ts';
import draw from '../sample_token/draw.wgsl?raw';
import main from './rollout_token.wgsl?raw';
import { policyToken, rowSeed } from './sampler.ts';

export { policyToken, rowSeed } from './sampler.ts';

const code = [draw, main].join('\n');

export interface RolloutTokenAttrs {
  /** Tokens that a row's history holds: as many as a row may generate. */
  slots: number;
}

const STATE = ['ids', 'positions', 'progress', 'history_ids', 'history_logps'] as const;
const INPUTS = [...STATE, 'logits', 'seeds', 'options'] as const;
type State = (typeof STATE)[number];
type Input = (typeof INPUTS)[number];

/** Columns of `progress`: tokens generated so far, and tokens still to generate. */
export const ROLLOUT_PROGRESS = 2;
/**
 * Length of `options`: temperature, the limit of the vocabulary (0 for none) and the stop token (-1
 * for none).
 */
export const ROLLOUT_OPTIONS = 3;

/** Names of the tensors that a step updates. */
export const ROLLOUT_STATE = STATE;

/** The state after the step. */
function advance(
  inputs: Record<Input, ArrayLike<number>>,
  { slots }: RolloutTokenAttrs,
): Record<State, number[]> {
  const [temperature = 0, vocab_limit = 0, stop = -1] = Array.from(inputs.options);
  const rows = inputs.ids.length;
  const vocab_size = inputs.logits.length / rows;
  const logits = Float32Array.from(inputs.logits);
  const after = recordOf(STATE, (name) => Array.from(inputs[name]));
  for (let row = 0; row < rows; row++) {
    const index = inputs.progress[ROLLOUT_PROGRESS * row] ?? 0;
    const left = inputs.progress[ROLLOUT_PROGRESS * row + 1] ?? 0;
    if (left <= 0) continue;
    const seed = inputs.seeds[row] ?? 0;
    const own = logits.subarray(row * vocab_size, (row + 1) * vocab_size);
    const { id, logp } = policyToken(own, { temperature, vocab_limit }, { seed, index });
    const leftAfter = id === stop ? 0 : left - 1;
    after.history_ids[row * slots + index] = id;
    after.history_logps[row * slots + index] = logp;
    after.ids[row] = id;
    after.progress[ROLLOUT_PROGRESS * row] = index + 1;
    after.progress[ROLLOUT_PROGRESS * row + 1] = leftAfter;
    if (leftAfter > 0) after.positions[row] = (inputs.positions[row] ?? 0) + 1;
  }
  return after;
}

function oracle(inputs: Hosts<Input>, attrs: RolloutTokenAttrs): Hosts<State> {
  const after = advance(
    recordOf(INPUTS, (name) => inputs[name].data),
    attrs,
  );
  return recordOf(STATE, (name) => ({ ...inputs[name], data: Float64Array.from(after[name]) }));
}

/** Reads its inputs synchronously: it runs op by op only. */
function reference(inputs: Tensors<Input>, attrs: RolloutTokenAttrs): Tensors<State> {
  const after = advance(
    recordOf(INPUTS, (name) => inputs[name].dataSync()),
    attrs,
  );
  return recordOf(STATE, (name) => {
    const dtype = name === 'history_logps' ? 'float32' : 'int32';
    return tensor(after[name], [...inputs[name].shape], dtype);
  });
}

interface CaseShape {
  vocab_size: number;
  std: number;
  /** Row-major; its length gives the number of rows. */
  progress: readonly number[];
  options: readonly number[];
}

function rolloutCase(
  name: string,
  { vocab_size, std, progress, options }: CaseShape,
): OpCase<Input, RolloutTokenAttrs> {
  const rows = progress.length / ROLLOUT_PROGRESS;
  const slots = 9;
  const seeds = Array.from({ length: rows }, (_, row) => rowSeed(77, row));
  return {
    name,
    attrs: { slots },
    inputs: (random: CaseRandom) => ({
      ids: random.ints([rows], vocab_size),
      positions: random.ints([rows], 9),
      progress: random.values([rows, ROLLOUT_PROGRESS], progress, 'int32'),
      history_ids: random.ints([rows, slots], vocab_size),
      history_logps: random.normal([rows, slots]),
      logits: random.normal([rows, vocab_size], std),
      seeds: random.values([rows], seeds, 'int32'),
      options: random.values([ROLLOUT_OPTIONS], options),
    }),
  };
}

/** Rows at the start, in the middle, at their last token, and ended. */
const PROGRESS = [0, 9, 3, 5, 8, 1, 4, 0, 0, 1, 2, 2];

/**
 * State: ids and positions int32 [B], progress int32 [B, 2] (tokens generated, tokens left),
 * history_ids int32 and history_logps [B, slots]. Further inputs: logits [B, V], seeds int32 [B]
 * (`rowSeed`) and options [3]. The outputs are the state after the step; a row with no tokens left
 * stays as it is. By kernels the state is updated in place and the outputs are the input tensors
 * themselves. Logits must be finite. The operation has no gradient.
 */
export const rolloutToken: OpDefinition<Input, RolloutTokenAttrs, State, never> = defineOp({
  name: 'rollout_token',
  inputs: INPUTS,
  outputs: STATE,
  oracle,
  reference,
  kernel: (inputs, { slots }) => {
    const [rows, vocab_size] = dims2(inputs.logits.shape);
    dispatch({
      name: 'rollout_token',
      code,
      constants: { WORKGROUP: threadsForRow(2 * vocab_size) },
      writes: [],
      updates: STATE.map((name) => inputs[name]),
      reads: [inputs.logits, inputs.seeds, inputs.options],
      params: [
        ['u32', vocab_size],
        ['u32', slots],
      ],
      workgroups: [rows, 1, 1],
    });
    return recordOf(STATE, (name) => inputs[name]);
  },
  processor: (inputs, { slots }) => {
    const [rows, vocab_size] = dims2(inputs.logits.shape);
    runOnProcessor({
      kernel: 'rollout_token',
      writes: [],
      updates: STATE.map((name) => inputs[name]),
      reads: [inputs.logits, inputs.seeds, inputs.options],
      params: [
        ['i32', rows],
        ['i32', vocab_size],
        ['i32', slots],
      ],
    });
    return recordOf(STATE, (name) => inputs[name]);
  },
  gradient: null,
  bench: ({ B, V }, inputs) => [
    {
      attrs: { slots: 32 },
      inputs: {
        ids: inputs.int32([B], () => 0),
        positions: inputs.int32([B], () => 0),
        progress: inputs.int32([B, ROLLOUT_PROGRESS], (i) => i % ROLLOUT_PROGRESS),
        history_ids: inputs.int32([B, 32], () => 0),
        history_logps: inputs.normal(B, 32),
        logits: inputs.normal(B, V),
        seeds: inputs.int32([B], (i) => i),
        options: inputs.float32([1, 0, -1]),
      },
    },
  ],
  cases: [
    rolloutCase('temperature 1', {
      vocab_size: 70,
      std: 1,
      progress: PROGRESS,
      options: [1, 0, -1],
    }),
    rolloutCase('temperature 0.7, more tokens than threads', {
      vocab_size: 1003,
      std: 2,
      progress: PROGRESS,
      options: [0.7, 0, 11],
    }),
    rolloutCase('greedy', { vocab_size: 40, std: 2, progress: PROGRESS, options: [0, 0, 3] }),
    rolloutCase('a limited vocabulary whose padding is likely', {
      vocab_size: 96,
      std: 4,
      progress: PROGRESS,
      options: [1.3, 5, 2],
    }),
    rolloutCase('two tokens, one of which stops', {
      vocab_size: 2,
      std: 0.1,
      progress: [0, 4, 1, 4, 2, 4],
      options: [1, 0, 1],
    }),
  ],
});
