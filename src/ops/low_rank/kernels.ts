/** Low-rank updates on WebGPU. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { unitCode, unroll, type Width } from '../wgsl/index.ts';
import { checkOutputs, inRowsOfFour, type LowRankAttrs, partEnds } from './attrs.ts';

/** Rows of y, and of dh, that a thread or workgroup computes at a time. */
const ROWS = 4;
/** Columns of h, and rows of b, that a workgroup of a gradient computes at a time. */
const RANKS = 8;
const THREADS = 256;
/** Threads of a workgroup of the gradient of h, and the stride of its partial sums in memory. */
const LANES_H = 64;
const STRIDE_H = LANES_H + 1;

interface Sizes {
  N: number;
  out: number;
  r: number;
  width: Width;
  /** Units of a row of y. */
  units: number;
}

function sizesOf(y: Tensor, r: number, attrs: LowRankAttrs): Sizes {
  const [N, out] = dims2(y.shape);
  const width = inRowsOfFour(attrs) ? 4 : 1;
  return { N, out, r, width, units: out / width };
}

const paramsOf = ({ N, units, r }: Sizes, scale: number) =>
  [
    ['u32', N],
    ['u32', units],
    ['u32', r],
    ['f32', scale],
  ] as const;

/** WGSL: the uniforms, and in which part a unit of a row is; `begin_of` and `end_of` in units. */
function partsCode({ width }: Sizes, { parts }: LowRankAttrs): string {
  const ends = partEnds(parts).map((end) => `${end / width}u`);
  const passed = ends.slice(0, -1).map((end) => `u32(unit >= ${end})`);
  return `
struct Params { rows: u32, units: u32, rank: u32, scale: f32 }
const PARTS = ${parts.length}u;
const ENDS = array<u32, ${parts.length + 1}>(0u, ${ends.join(', ')});
fn part_of(unit: u32) -> u32 { return ${['0u', ...passed].join(' + ')}; }
`;
}

/** base [N, out], h [N, parts r], b [r, out] -> y [N, out]. */
export function lowRankAddKernel(base: Tensor, h: Tensor, b: Tensor, attrs: LowRankAttrs): Tensor {
  checkOutputs(attrs, base, b);
  const [r] = dims2(b.shape);
  const sizes = sizesOf(base, r, attrs);
  const y = activation(base.shape);
  const lanes = lanesOf(sizes, 64);
  const rows = (THREADS / lanes) * ROWS;
  dispatch({
    name: 'low_rank_add',
    code: `${unitCode(sizes.width, { y, base })}${partsCode(sizes, attrs)}${addCode(lanes)}`,
    writes: [y],
    reads: [base, h, b],
    params: [...paramsOf(sizes, attrs.scale)],
    workgroups: [Math.ceil(sizes.units / lanes), Math.ceil(sizes.N / rows), 1],
  });
  return y;
}

/** Threads side by side along a row: a power of two, at most `most`. */
function lanesOf({ units }: Sizes, most: number): number {
  let lanes = most;
  while (lanes > 4 && lanes / 2 >= units) lanes /= 2;
  return lanes;
}

/** A thread computes one unit of ROWS rows. Rows past the end read the last row. */
const addCode = (lanes: number): string => `
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read> base: array<base_stored>;
@group(0) @binding(2) var<storage, read> h: array<f32>;
@group(0) @binding(3) var<storage, read> b: array<Unit>;
@group(0) @binding(4) var<uniform> p: Params;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let unit = wg.x * ${lanes}u + tid % ${lanes}u;
  let row = (wg.y * ${THREADS / lanes}u + tid / ${lanes}u) * ${ROWS}u;
  if (unit >= p.units || row >= p.rows) { return; }
  let columns = PARTS * p.rank;
  let first = part_of(unit) * p.rank;
  ${unroll(ROWS, (i) => `let h${i} = min(row + ${i}u, p.rows - 1u) * columns + first;`)}
  ${unroll(ROWS, (i) => `var sum${i} = Unit();`)}
  for (var k = 0u; k < p.rank; k++) {
    let value = b[k * p.units + unit];
    ${unroll(ROWS, (i) => `sum${i} += h[h${i} + k] * value;`)}
  }
  ${unroll(
    ROWS,
    (i) => `if (row + ${i}u < p.rows) {
    let at = (row + ${i}u) * p.units + unit;
    y[at] = put_y(get_base(base[at]) + p.scale * sum${i});
  }`,
  )}
}`;

/** dy [N, out], b [r, out] -> dh [N, parts r]. */
export function lowRankGradHKernel(dy: Tensor, b: Tensor, attrs: LowRankAttrs): Tensor {
  checkOutputs(attrs, dy, b);
  const [r] = dims2(b.shape);
  const sizes = sizesOf(dy, r, attrs);
  const dh = output([sizes.N, attrs.parts.length * r]);
  const ranks = Math.min(RANKS, r);
  dispatch({
    name: 'low_rank_grad_h',
    code: `${unitCode(sizes.width, { dy })}${partsCode(sizes, attrs)}${gradHCode(sizes, ranks)}`,
    writes: [dh],
    reads: [dy, b],
    params: [...paramsOf(sizes, attrs.scale)],
    workgroups: [Math.ceil(sizes.N / ROWS), Math.ceil(r / ranks), attrs.parts.length],
  });
  return dh;
}

/**
 * A workgroup computes ROWS x `ranks` values of one part: its threads divide the part's columns, and
 * then add up their sums.
 */
function gradHCode({ width }: Sizes, ranks: number): string {
  const count = ROWS * ranks;
  const multiply = (row: number, k: number): string =>
    width === 4 ? `dot(d${row}, b${k})` : `d${row} * b${k}`;
  const addProducts = (row: number): string =>
    unroll(ranks, (k) => `s${row}_${k} += ${multiply(row, k)};`);
  return `
@group(0) @binding(0) var<storage, read_write> dh: array<f32>;
@group(0) @binding(1) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(2) var<storage, read> b: array<Unit>;
@group(0) @binding(3) var<uniform> p: Params;
var<workgroup> sums: array<f32, ${count * STRIDE_H}>;

@compute @workgroup_size(${LANES_H})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let row = wg.x * ${ROWS}u;
  let rank = wg.y * ${ranks}u;
  ${unroll(ROWS, (i) => `let row${i} = min(row + ${i}u, p.rows - 1u) * p.units;`)}
  ${unroll(ranks, (k) => `let rank${k} = min(rank + ${k}u, p.rank - 1u) * p.units;`)}
  ${unroll(ROWS, (i) => unroll(ranks, (k) => `var s${i}_${k} = 0.0;`))}
  for (var unit = ENDS[wg.z] + tid; unit < ENDS[wg.z + 1u]; unit += ${LANES_H}u) {
    ${unroll(ranks, (k) => `let b${k} = b[rank${k} + unit];`)}
    ${unroll(ROWS, (i) => `let d${i} = get_dy(dy[row${i} + unit]); ${addProducts(i)}`)}
  }
  ${unroll(ROWS, (i) =>
    unroll(ranks, (k) => `sums[${(i * ranks + k) * STRIDE_H}u + tid] = s${i}_${k};`),
  )}
  workgroupBarrier();
  if (tid < ${count}u) {
    var sum = 0.0;
    for (var lane = 0u; lane < ${LANES_H}u; lane++) { sum += sums[tid * ${STRIDE_H}u + lane]; }
    let n = row + tid / ${ranks}u;
    let k = rank + tid % ${ranks}u;
    if (n < p.rows && k < p.rank) { dh[(n * PARTS + wg.z) * p.rank + k] = p.scale * sum; }
  }
}`;
}

/** h [N, parts r], dy [N, out] -> db [r, out], added to `into` if it is given. */
export function lowRankGradBKernel(
  h: Tensor,
  dy: Tensor,
  attrs: LowRankAttrs,
  into: Tensor | undefined,
): Tensor {
  checkOutputs(attrs, dy);
  const [, columns] = dims2(h.shape);
  const r = columns / attrs.parts.length;
  const sizes = sizesOf(dy, r, attrs);
  const db = into ?? output([r, sizes.out]);
  const ranks = Math.min(RANKS, r);
  // Few columns leave a large device idle, so narrow layers are divided into narrower workgroups.
  const lanes = lanesOf(sizes, sizes.units >= 512 ? 8 : 4);
  dispatch({
    name: 'low_rank_grad_b',
    code: `${unitCode(sizes.width, { dy })}${partsCode(sizes, attrs)}${gradBCode(lanes, ranks)}`,
    constants: { ADD: into ? 1 : 0 },
    writes: into ? [] : [db],
    updates: into ? [into] : [],
    reads: [h, dy],
    params: [...paramsOf(sizes, attrs.scale)],
    workgroups: [Math.ceil(sizes.units / lanes), Math.ceil(r / ranks), 1],
  });
  return db;
}

/** A workgroup computes `ranks` rows of `lanes` units: its threads divide the rows of dy. */
function gradBCode(lanes: number, ranks: number): string {
  const slices = THREADS / lanes;
  const finish = (k: number): string => `
  sums[tid] = s${k};
  workgroupBarrier();
  for (var w = ${THREADS / 2}u; w >= ${lanes}u; w >>= 1u) {
    if (tid < w) { sums[tid] += sums[tid + w]; }
    workgroupBarrier();
  }
  if (tid < ${lanes}u && inside && rank + ${k}u < p.rank) {
    let at = (rank + ${k}u) * p.units + unit;
    let value = p.scale * sums[tid];
    if (ADD) { db[at] += value; } else { db[at] = value; }
  }
  workgroupBarrier();`;
  return `
override ADD: bool = false;
@group(0) @binding(0) var<storage, read_write> db: array<Unit>;
@group(0) @binding(1) var<storage, read> h: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<dy_stored>;
@group(0) @binding(3) var<uniform> p: Params;
var<workgroup> sums: array<Unit, ${THREADS}>;

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let rank = wg.y * ${ranks}u;
  let inside = wg.x * ${lanes}u + tid % ${lanes}u < p.units;
  let unit = min(wg.x * ${lanes}u + tid % ${lanes}u, p.units - 1u);
  let first = part_of(unit) * p.rank;
  ${unroll(ranks, (k) => `let k${k} = first + min(rank + ${k}u, p.rank - 1u);`)}
  ${unroll(ranks, (k) => `var s${k} = Unit();`)}
  for (var n = tid / ${lanes}u; n < p.rows; n += ${slices}u) {
    let value = get_dy(dy[n * p.units + unit]);
    let row = n * PARTS * p.rank;
    ${unroll(ranks, (k) => `s${k} += h[row + k${k}] * value;`)}
  }
  ${unroll(ranks, finish)}
}`;
}
