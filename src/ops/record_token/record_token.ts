/**
 * Feeds the token that a decoding step chose back into the next step: the token becomes the input
 * id, its position advances, and a history keeps it until the host reads it. Decoding steps can
 * thus follow one another on the device without a read-back in between.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { dispatch, runOnProcessor } from '../../backend/index.ts';
import {
  defineOp,
  type Hosts,
  type OpCase,
  type OpDefinition,
  recordOf,
  type Tensors,
} from '../define.ts';
import { CONTROL_COLUMNS, PROGRESS_COLUMNS, CHOICE_TOKENS } from '../sample_token/sample_token.ts';
import code from './record_token.wgsl?raw';

export interface RecordTokenAttrs {
  /** Tokens that a row's history holds before it wraps around. */
  slots: number;
}
const STATE = ['ids', 'positions', 'progress', 'history_ids', 'history_probabilities'] as const;
const INPUTS = [...STATE, 'chosen', 'probabilities', 'control'] as const;
type State = (typeof STATE)[number];
type Input = (typeof INPUTS)[number];

/** The state after the step. */
function advance(
  inputs: Record<Input, ArrayLike<number>>,
  { slots }: RecordTokenAttrs,
): Record<State, number[]> {
  const { chosen, probabilities, control, progress } = inputs;
  const after = recordOf(STATE, (name) => Array.from(inputs[name]));
  for (let b = 0; b < inputs.ids.length; b++) {
    const generated = progress[PROGRESS_COLUMNS * b] ?? 0;
    const left = progress[PROGRESS_COLUMNS * b + 1] ?? 0;
    const active = control[CONTROL_COLUMNS * b + 1] !== 0;
    if (!active || left <= 0) continue;
    for (let j = 0; j < CHOICE_TOKENS; j++) {
      const slot = (b * slots + (generated % slots)) * CHOICE_TOKENS + j;
      after.history_ids[slot] = chosen[CHOICE_TOKENS * b + j] ?? 0;
      after.history_probabilities[slot] = probabilities[CHOICE_TOKENS * b + j] ?? 0;
    }
    const token = chosen[CHOICE_TOKENS * b] ?? 0;
    const stop = control[CONTROL_COLUMNS * b + 2];
    const leftAfter = token === stop ? 0 : left - 1;
    after.ids[b] = token;
    after.progress[PROGRESS_COLUMNS * b] = generated + 1;
    after.progress[PROGRESS_COLUMNS * b + 1] = leftAfter;
    if (leftAfter > 0) after.positions[b] = (inputs.positions[b] ?? 0) + 1;
  }
  return after;
}

function oracle(inputs: Hosts<Input>, attrs: RecordTokenAttrs): Hosts<State> {
  const after = advance(
    recordOf(INPUTS, (name) => inputs[name].data),
    attrs,
  );
  return recordOf(STATE, (name) => ({ ...inputs[name], data: Float64Array.from(after[name]) }));
}

function reference(inputs: Tensors<Input>, attrs: RecordTokenAttrs): Tensors<State> {
  const after = advance(
    recordOf(INPUTS, (name) => inputs[name].dataSync()),
    attrs,
  );
  return recordOf(STATE, (name) => {
    const dtype = name === 'history_probabilities' ? 'float32' : 'int32';
    return tensor(after[name], [...inputs[name].shape], dtype);
  });
}

/** Numbers of a case, row-major; their lengths give the number of rows. */
interface CaseState {
  control: readonly number[];
  progress: readonly number[];
}

function recordCase(
  name: string,
  slots: number,
  { control, progress }: CaseState,
): OpCase<Input, RecordTokenAttrs> {
  const rows = progress.length / PROGRESS_COLUMNS;
  const chosen = Array.from({ length: rows * CHOICE_TOKENS }, (_, i) => 10 + i);
  return {
    name,
    attrs: { slots },
    inputs: (random) => ({
      ids: random.ints([rows], 50),
      positions: random.ints([rows], 9),
      progress: random.values([rows, PROGRESS_COLUMNS], progress, 'int32'),
      history_ids: random.ints([rows, slots, CHOICE_TOKENS], 50),
      history_probabilities: random.normal([rows, slots, CHOICE_TOKENS]),
      chosen: random.values([rows, CHOICE_TOKENS], chosen, 'int32'),
      probabilities: random.normal([rows, CHOICE_TOKENS]),
      control: random.values([rows, CONTROL_COLUMNS], control, 'int32'),
    }),
  };
}

/**
 * State: ids and positions int32 [B], progress int32 [B, 2] (tokens generated, tokens left),
 * history_ids int32 and history_probabilities [B, slots, 5]. Further inputs: chosen int32 and
 * probabilities [B, 5] of `sample_token`, and control int32 [B, 3] (seed, whether the row is
 * active, stop token). The outputs are the state after the step; token number n of a row goes to
 * slot n mod slots. By kernels the state is updated in place and the outputs are the input tensors
 * themselves. The operation has no gradient.
 */
export const recordToken: OpDefinition<Input, RecordTokenAttrs, State, never> = defineOp({
  name: 'record_token',
  inputs: INPUTS,
  outputs: STATE,
  oracle,
  reference,
  kernel: (inputs, { slots }) => {
    const rows = inputs.ids.size;
    dispatch({
      name: 'record_token',
      code,
      writes: [],
      updates: STATE.map((name) => inputs[name]),
      reads: [inputs.chosen, inputs.probabilities, inputs.control],
      params: [
        ['u32', rows],
        ['u32', slots],
      ],
      workgroups: [Math.ceil(rows / 64), 1, 1],
    });
    return recordOf(STATE, (name) => inputs[name]);
  },
  processor: (inputs, { slots }) => {
    runOnProcessor({
      kernel: 'record_token',
      writes: [],
      updates: STATE.map((name) => inputs[name]),
      reads: [inputs.chosen, inputs.probabilities, inputs.control],
      params: [
        ['i32', inputs.ids.size],
        ['i32', slots],
      ],
    });
    return recordOf(STATE, (name) => inputs[name]);
  },
  gradient: null,
  bench: ({ B }, inputs) => [
    {
      attrs: { slots: 32 },
      inputs: {
        ids: inputs.int32([B], () => 0),
        positions: inputs.int32([B], () => 0),
        progress: inputs.int32([B, PROGRESS_COLUMNS], () => 9),
        history_ids: inputs.int32([B, 32, CHOICE_TOKENS], () => 0),
        history_probabilities: inputs.normal(B, 32, CHOICE_TOKENS),
        chosen: inputs.int32([B, CHOICE_TOKENS], () => 1),
        probabilities: inputs.normal(B, CHOICE_TOKENS),
        control: inputs.int32([B, CONTROL_COLUMNS], () => 1),
      },
    },
  ],
  cases: [
    recordCase('one row', 4, { control: [1, 1, -1], progress: [2, 3] }),
    // One row each that wraps around, meets its stop token, is inactive, has no tokens left, and
    // generates its last token.
    recordCase('five rows', 3, {
      control: [1, 1, -1, 2, 1, 15, 3, 0, -1, 4, 1, -1, 5, 1, -1],
      progress: [7, 2, 4, 9, 1, 5, 6, 0, 2, 1],
    }),
  ],
});
