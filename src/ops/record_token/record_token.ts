/**
 * Feeds a decoding program with what it chose itself: the token is the next input, its position one
 * further, and a history keeps it until it is read. So steps follow one another on the GPU with
 * nothing read back between them.
 */
import { tensor } from '@tensorflow/tfjs-core';
import { dispatch } from '../../backend/index.ts';
import {
  defineOp,
  type Hosts,
  type OpCase,
  type OpDefinition,
  recordOf,
  type Tensors,
} from '../define.ts';
import { CONTROL, PROGRESS, TOLD } from '../sample_token/sample_token.ts';
import code from './record_token.wgsl?raw';

export interface RecordTokenAttrs {
  slots: number;
}
const STATE = ['ids', 'positions', 'progress', 'history_ids', 'history_probabilities'] as const;
type State = (typeof STATE)[number];
type In = State | 'chosen' | 'probabilities' | 'control';

type Numbers = Record<In, ArrayLike<number>>;

/** The state after the step. */
function recorded(t: Numbers, rows: number, slots: number): Record<State, number[]> {
  const after = recordOf(STATE, (k) => Array.from(t[k]));
  for (let b = 0; b < rows; b++) {
    const made = t.progress[PROGRESS * b] ?? 0;
    const left = t.progress[PROGRESS * b + 1] ?? 0;
    const token = t.chosen[TOLD * b] ?? 0;
    if (t.control[CONTROL * b + 1] === 0 || left <= 0) continue;
    for (let j = 0; j < TOLD; j++) {
      const slot = (b * slots + (made % slots)) * TOLD + j;
      after.history_ids[slot] = t.chosen[TOLD * b + j] ?? 0;
      after.history_probabilities[slot] = t.probabilities[TOLD * b + j] ?? 0;
    }
    const rest = token === t.control[CONTROL * b + 2] ? 0 : left - 1;
    after.ids[b] = token;
    after.progress[PROGRESS * b] = made + 1;
    after.progress[PROGRESS * b + 1] = rest;
    if (rest > 0) after.positions[b] = (t.positions[b] ?? 0) + 1;
  }
  return after;
}

function oracle(t: Hosts<In>, { slots }: RecordTokenAttrs): Hosts<State> {
  const numbers = recordOf(
    [...STATE, 'chosen', 'probabilities', 'control'] as const,
    (k) => t[k].data,
  );
  const after = recorded(numbers, t.ids.data.length, slots);
  return recordOf(STATE, (k) => ({ ...t[k], data: Float64Array.from(after[k]) }));
}

function reference(t: Tensors<In>, { slots }: RecordTokenAttrs): Tensors<State> {
  const numbers = recordOf([...STATE, 'chosen', 'probabilities', 'control'] as const, (k) =>
    t[k].dataSync(),
  );
  const after = recorded(numbers, t.ids.size, slots);
  return recordOf(STATE, (k) =>
    tensor(after[k], [...t[k].shape], k === 'history_probabilities' ? 'float32' : 'int32'),
  );
}

function recordCase(
  name: string,
  rows: number,
  slots: number,
  control: readonly number[],
  progress: readonly number[],
): OpCase<In, RecordTokenAttrs> {
  return {
    name,
    attrs: { slots },
    inputs: (r) => ({
      ids: r.ints([rows], 50),
      positions: r.ints([rows], 9),
      progress: r.values([rows, PROGRESS], progress, 'int32'),
      history_ids: r.ints([rows, slots, TOLD], 50),
      history_probabilities: r.normal([rows, slots, TOLD]),
      chosen: r.values(
        [rows, TOLD],
        Array.from({ length: rows * TOLD }, (_, i) => 10 + i),
        'int32',
      ),
      probabilities: r.normal([rows, TOLD]),
      control: r.values([rows, CONTROL], control, 'int32'),
    }),
  };
}

/**
 * ids and positions int32 [B], progress int32 [B, 2] (tokens made, tokens left), history_ids int32
 * and history_probabilities [B, slots, 5], chosen int32 and probabilities [B, 5] (of
 * `sample_token`), control int32 [B, 3] (seed, whether it takes part, stop id) -> the first five as
 * they are after the step: token number n of a row lies in slot n mod slots. On WebGPU they are
 * written in place and come back themselves. It has no gradient.
 */
export const recordToken: OpDefinition<In, RecordTokenAttrs, State, never> = defineOp({
  name: 'record_token',
  inputs: [...STATE, 'chosen', 'probabilities', 'control'],
  outputs: STATE,
  oracle,
  reference,
  kernel: (t, { slots }) => {
    dispatch({
      name: 'record_token',
      code,
      writes: [],
      updates: STATE.map((k) => t[k]),
      reads: [t.chosen, t.probabilities, t.control],
      params: [
        ['u32', t.ids.size],
        ['u32', slots],
      ],
      workgroups: [Math.ceil(t.ids.size / 64), 1, 1],
    });
    return recordOf(STATE, (k) => t[k]);
  },
  gradient: null,
  cases: [
    recordCase('goes on', 1, 4, [1, 1, -1], [2, 3]),
    recordCase(
      'wraps, stops, rests, is over, ends',
      5,
      3,
      [1, 1, -1, 2, 1, 15, 3, 0, -1, 4, 1, -1, 5, 1, -1],
      [7, 2, 4, 9, 1, 5, 6, 0, 2, 1],
    ),
  ],
});
