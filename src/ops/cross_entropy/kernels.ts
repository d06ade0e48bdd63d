/** Kernels of cross-entropy and its gradient, over the whole vocabulary or a chunk of it. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, grid, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { dims2 } from '../host.ts';
import { ELEMENTWISE, threadsForRow, unitCode, type Width, widthOf } from '../wgsl/index.ts';
import code from './cross_entropy.wgsl?raw';
import chunkCode from './cross_entropy_chunk.wgsl?raw';
import finishCode from './cross_entropy_finish.wgsl?raw';
import gradCode from './cross_entropy_grad.wgsl?raw';
import scan from './scan.wgsl?raw';

/**
 * WGSL over the values of a unit: the largest value, the first component equal to a value, and the
 * logit of a column in the row that begins at `start`.
 */
const UNIT_FUNCTIONS: Record<Width, string> = {
  1: `
fn largest_of(v: Unit) -> f32 { return v; }
fn first_equal(v: Unit, x: f32) -> u32 { return 0u; }
fn logit_at(start: u32, column: u32) -> f32 { return logits[start + column]; }`,
  4: `
fn largest_of(v: Unit) -> f32 { return max(max(v.x, v.y), max(v.z, v.w)); }
fn first_equal(v: Unit, x: f32) -> u32 {
  return select(select(select(3u, 2u, v.z == x), 1u, v.y == x), 0u, v.x == x);
}
fn logit_at(start: u32, column: u32) -> f32 {
  return get_logits(logits[start + column / 4u])[column % 4u];
}`,
};

/**
 * State of a row over the chunks so far: the largest logit, the sum of exponentials relative to it,
 * its token, and the target's logit.
 */
const ROW_STATE = 'struct Row { largest: f32, sum: f32, at: u32, target_logit: f32 }\n';

type Outputs = Tensors<'loss' | 'lse' | 'probability' | 'correct'>;
export type LossGradInputs = 'logits' | 'targets' | 'lse' | 'dloss';

const outputs = (n: number): Outputs => ({
  loss: output([n]),
  lse: output([n]),
  probability: output([n]),
  correct: output([n]),
});

/** logits [N, V], targets [N] int32 -> the outputs of `cross_entropy`, each [N]. */
export function crossEntropyKernel(logits: Tensor, targets: Tensor): Outputs {
  const [n, v] = dims2(logits.shape);
  const width = widthOf(v);
  const out = outputs(n);
  dispatch({
    name: 'cross_entropy',
    code: unitCode(width, { logits }) + UNIT_FUNCTIONS[width] + code + scan,
    constants: { WORKGROUP: threadsForRow(v) },
    writes: [out.loss, out.lse, out.probability, out.correct],
    reads: [logits, targets],
    params: [
      ['u32', n],
      ['u32', v / width],
    ],
    workgroups: grid(n),
  });
  return out;
}

/** States of n rows (`ROW_STATE`); only kernels of cross-entropy can read them. */
export const newRowStates = (n: number): Tensor => output([n, 4]);

/**
 * Adds the logits [N, columns] of the tokens from `first` on to the row states, which the chunk at 0
 * initializes. Chunks must come in the order of the vocabulary.
 */
export function crossEntropyChunkKernel(
  logits: Tensor,
  targets: Tensor,
  rows: Tensor,
  first: number,
): void {
  const [n, columns] = dims2(logits.shape);
  const width = widthOf(columns);
  dispatch({
    name: 'cross_entropy_chunk',
    code: unitCode(width, { logits }) + UNIT_FUNCTIONS[width] + ROW_STATE + chunkCode + scan,
    constants: { WORKGROUP: threadsForRow(columns), FIRST: first === 0 ? 1 : 0 },
    writes: first === 0 ? [rows] : [],
    updates: first === 0 ? [] : [rows],
    reads: [logits, targets],
    params: [
      ['u32', n],
      ['u32', columns / width],
      ['u32', first],
      ['u32', columns],
    ],
    workgroups: grid(n),
  });
}

/** The outputs of `cross_entropy` from the row states after the last chunk. */
export function crossEntropyFinishKernel(rows: Tensor, targets: Tensor): Outputs {
  const [n] = dims2(rows.shape);
  const out = outputs(n);
  dispatch({
    name: 'cross_entropy_finish',
    code: ROW_STATE + finishCode,
    writes: [out.loss, out.lse, out.probability, out.correct],
    reads: [rows, targets],
    params: [['u32', n]],
    workgroups: grid(Math.ceil(n / ELEMENTWISE)),
  });
  return out;
}

/** Overwrites the logits with their gradient and returns them. Column 0 is token `first`. */
export function crossEntropyGradKernel(
  { logits, targets, lse, dloss }: Tensors<LossGradInputs>,
  first = 0,
): Tensor {
  const [n, v] = dims2(logits.shape);
  const width = widthOf(v);
  const size = (n * v) / width;
  dispatch({
    name: 'cross_entropy_grad',
    code: unitCode(width, { logits }) + gradCode,
    writes: [],
    updates: [logits],
    reads: [targets, lse, dloss],
    params: [
      ['u32', size],
      ['u32', v / width],
      ['u32', first],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return logits;
}
