/**
 * How the norm kernels distribute rows over threads. A workgroup of 256 threads processes
 * 256 / lanes rows at once. Each lane of a row keeps `slots` values of it (vec4f where d allows) in
 * registers, so a row is read from memory once. For rows of up to 1024 values, each pass over the
 * row's sums costs one barrier.
 */
import { unroll } from '../wgsl/index.ts';

export interface Lanes {
  /** WGSL type of one unit in memory: vec4f, or f32 where d is not a multiple of four. */
  element: 'vec4f' | 'f32';
  /** Units in a row. */
  units: number;
  /** Threads that share a row, a power of two. */
  lanes: number;
  /** Most units that one lane keeps. */
  slots: number;
  /** Rows that a workgroup processes at once. */
  rows: number;
}

const nextPowerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/**
 * The distribution for rows of `d` values: at least 32 lanes a row if the row has as many units,
 * and at most four units a lane as long as one workgroup suffices.
 */
export function lanesOf(d: number): Lanes {
  const units = d % 4 === 0 ? d / 4 : d;
  const wantedLanes = Math.max(32, nextPowerOfTwo(Math.ceil(units / 4)));
  const lanes = Math.min(256, nextPowerOfTwo(units), wantedLanes);
  return {
    element: d % 4 === 0 ? 'vec4f' : 'f32',
    units,
    lanes,
    slots: Math.ceil(units / lanes),
    rows: 256 / lanes,
  };
}

/**
 * WGSL that defines `LANES`, `ROWS` and two functions.
 *
 * - `row_sum(v, l, turn)` sums two numbers over the lanes of a row, in a fixed order; every thread
 *   must call it. `turn` alternates between 0 and 1 from call to call, so that a call does not have
 *   to wait for the readers of the previous one.
 * - `total(v)` sums the components of a unit.
 */
export function laneCode({ element, lanes }: Lanes): string {
  const total = element === 'vec4f' ? '(v.x + v.y) + (v.z + v.w)' : 'v';
  const halvings = [128, 64, 32].filter((width) => width < lanes).map(halvingCode);
  const remaining = Math.min(lanes, 32);
  return `
const LANES = ${lanes}u;
const ROWS = ${256 / lanes}u;
var<workgroup> row_parts: array<array<vec2f, 256>, 2>;
fn total(v: ${element}) -> f32 { return ${total}; }
fn row_sum(v: vec2f, l: u32, turn: u32) -> vec2f {
  row_parts[turn][l] = v;
  workgroupBarrier();
  ${halvings.join('')}
  let first = l / LANES * LANES;
  var s0 = vec2f();
  var s1 = vec2f();
  var s2 = vec2f();
  var s3 = vec2f();
  ${unroll(remaining, (i) => `s${i % 4} += row_parts[turn][first + ${i}u];`)}
  return (s0 + s1) + (s2 + s3);
}`;
}

/** WGSL: adds the upper half of 2 * `width` lanes to the lower half. */
const halvingCode = (width: number): string => `
  if (l % LANES < ${width}u) { row_parts[turn][l] += row_parts[turn][l + ${width}u]; }
  workgroupBarrier();`;

/** WGSL: the sum of `unitOf(slot)` over a lane's slots and over the components of each unit. */
export const sumOverSlots = (slots: number, unitOf: (slot: number) => string): string =>
  Array.from({ length: slots }, (_, slot) => `total(${unitOf(slot)})`).join(' + ');
