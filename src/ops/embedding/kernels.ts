/** The embedding and its gradient on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, grid, output, storageOf } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { columnLanes, ELEMENTWISE, LANE_COLUMNS, unitCode, widthOf } from '../wgsl/index.ts';
import code from './embedding.wgsl?raw';
import gradCode from './embedding_grad.wgsl?raw';

/**
 * A row of the table for each id, plus a row of a second table for its position where there is one.
 */
export function embeddingKernel(
  weight: Tensor,
  ids: Tensor,
  places?: { weight: Tensor; positions: Tensor },
): Tensor {
  const [, d] = dims2(weight.shape);
  const width = widthOf(d);
  const y = activation([ids.size, d]);
  const size = y.size / width;
  dispatch({
    name: 'embedding',
    code: unitCode(width, { y }) + code,
    constants: { POSITIONS: places ? 1 : 0 },
    writes: [y],
    reads: [weight, ids, places?.weight ?? weight, places?.positions ?? ids],
    params: [
      ['u32', size],
      ['u32', d / width],
    ],
    workgroups: grid(Math.ceil(size / ELEMENTWISE)),
  });
  return y;
}

/**
 * The lanes of this kernel are columns, so it takes one value at a time, out of its pair where they
 * are halves.
 */
const valueOf = (dy: Tensor): string =>
  storageOf(dy) === 'float16'
    ? 'alias dy_element = u32; fn dy_at(i: u32) -> f32 { return unpack2x16float(dy[i / 2u])[i % 2u]; }\n'
    : 'alias dy_element = f32; fn dy_at(i: u32) -> f32 { return dy[i]; }\n';

/**
 * Workgroups from which on there are enough of them, and each goes through all columns of its id.
 */
const ENOUGH = 2048;

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
    code: columnLanes + valueOf(dy) + gradCode,
    constants: { ADD: into ? 1 : 0 },
    writes: into ? [] : [weight],
    updates: into ? [into] : [],
    reads: [dy, sorted, starts],
    params: [
      ['u32', vocab_size],
      ['u32', d],
    ],
    workgroups: [x, y, vocab_size < ENOUGH ? Math.ceil(d / LANE_COLUMNS) : 1],
  });
  return weight;
}
