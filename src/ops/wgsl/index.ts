/** WGSL that several kernels share, prepended to their own source, and the sizes that go with it. */
import columnLanes from './column_lanes.wgsl?raw';
import random from './random.wgsl?raw';
import workgroupSum from './workgroup_sum.wgsl?raw';

export { remembered } from './remembered.ts';
export { mapUnit, unitCode, type Width, widthOf } from './units.ts';
export { columnLanes, random, workgroupSum };

/** Threads for a row of `d` values: a power of two from 32 to 256. */
export const threadsForRow = (d: number): number =>
  Math.min(256, Math.max(32, 2 ** Math.ceil(Math.log2(d / 2))));

/** Columns that a workgroup of `column_lanes.wgsl` reduces. */
export const LANE_COLUMNS = 32;

/** Repeats a piece of WGSL for the indices 0 to n - 1. */
export const unroll = (n: number, piece: (index: number) => string): string =>
  Array.from({ length: n }, (_, index) => piece(index)).join('\n');

/** Threads in a workgroup of an elementwise kernel. */
export const ELEMENTWISE = 256;
