/** Second pass of sums over rows (the first is the caller's), always in the same order: parts of some rows each are added, or added to a buffer. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { dispatch, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { columnLanes, LANE_COLUMNS } from '../wgsl/index.ts';
import foldCode from './fold_columns.wgsl?raw';

/** How n rows are cut for the first pass: at least 32 rows a chunk, at most 128 chunks. */
export function chunksOf(n: number): { chunks: number; rows: number } {
  const rows = Math.max(32, Math.ceil(n / 128));
  return { chunks: Math.max(1, Math.ceil(n / rows)), rows };
}

/** Sum of parts [chunks, d] over the chunks: new, or added to `into`. The parts are disposed. */
export function foldColumns(parts: Tensor, into: Tensor | undefined): Tensor {
  const [chunks, d] = dims2(parts.shape), sum = into ?? output([d]);
  dispatch({
    name: 'fold_columns', code: columnLanes + foldCode, constants: { ADD: into ? 1 : 0 }, writes: into ? [] : [sum], updates: into ? [into] : [],
    reads: [parts], params: [['u32', chunks], ['u32', d]], workgroups: [Math.ceil(d / LANE_COLUMNS), 1, 1],
  });
  parts.dispose();
  return sum;
}
