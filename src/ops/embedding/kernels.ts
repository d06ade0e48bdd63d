/** The embedding and its gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output, storageOf } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { columnLanes, ELEMENTWISE, LANE_COLUMNS, unitCode, widthOf } from '../wgsl/index.ts';
import code from './embedding.wgsl?raw';
import gradCode from './embedding_grad.wgsl?raw';

/**
 * y [N, d]: a row of the table for each id, plus a row of a second table for its position if there
 * is one.
 */
export function embeddingKernel(
  weight: Tensor,
  ids: Tensor,
  learned?: { weight: Tensor; positions: Tensor },
): Tensor {
  return rowsKernel(weight, ids, {
    name: 'embedding',
    code,
    constants: { POSITIONS: learned ? 1 : 0 },
    reads: [weight, ids, learned?.weight ?? weight, learned?.positions ?? ids],
  });
}

/** A kernel that writes a row of the table for each id, `widthOf(d)` values at a time. */
export function rowsKernel(
  weight: Tensor,
  ids: Tensor,
  kernel: Pick<Parameters<typeof dispatch>[0], 'name' | 'code' | 'constants' | 'reads'>,
): Tensor {
  const [, d] = dims2(weight.shape);
  const width = widthOf(d);
  const y = activation([ids.size, d]);
  const size = y.size / width;
  dispatch({
    ...kernel,
    code: unitCode(width, { y }) + kernel.code,
    writes: [y],
    params: [
      ['u32', size],
      ['u32', d / width],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}

/** `dy_at`: the lanes of the gradient are columns, so it reads one value at a time. */
function valueCode(dy: Tensor): string {
  if (storageOf(dy) === 'float16')
    return `alias dy_element = u32;
fn dy_at(i: u32) -> f32 { return unpack2x16float(dy[i / 2u])[i % 2u]; }
`;
  return `alias dy_element = f32;
fn dy_at(i: u32) -> f32 { return dy[i]; }
`;
}

/** With fewer ids than this, workgroups share out the columns of an id as well. */
const MANY_IDS = 2048;

/** weight [V, d], or the gradient added to `into`. */
export function embeddingGradKernel(
  dy: Tensor,
  sorted: Tensor,
  starts: Tensor,
  into: Tensor | undefined,
): Tensor {
  const [, d] = dims2(dy.shape);
  const vocab_size = starts.size - 1;
  const weight = into ?? output([vocab_size, d]);
  const [x, y] = grid(vocab_size);
  dispatch({
    name: 'embedding_grad',
    code: columnLanes + valueCode(dy) + gradCode,
    constants: { ADD: into ? 1 : 0 },
    writes: into ? [] : [weight],
    updates: into ? [into] : [],
    reads: [dy, sorted, starts],
    params: [
      ['u32', vocab_size],
      ['u32', d],
    ],
    workgroups: [x, y, vocab_size < MANY_IDS ? Math.ceil(d / LANE_COLUMNS) : 1],
  });
  return weight;
}
