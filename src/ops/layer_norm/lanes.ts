/**
 * How the norm kernels share rows: a workgroup of 256 threads takes 256 / lanes rows at once, and
 * each lane of a row holds `slots` values of it (vec4 where d allows) in registers, so that a row
 * is read once and all of its sums cost one barrier for rows of up to 1024 values.
 */
import { unroll } from '../wgsl/index.ts';

export interface Lanes {
  /** WGSL's type of one value in memory: vec4f, or f32 where d is no multiple of four. */
  element: 'vec4f' | 'f32';
  /** Values of that type in a row. */
  units: number;
  /** Threads of a row, a power of two, and how many units each has at most. */
  lanes: number;
  slots: number;
  /** Rows that a workgroup works on at once. */
  rows: number;
}

const powerOfTwo = (n: number): number => 2 ** Math.ceil(Math.log2(n));

/**
 * At least 32 lanes a row, where it has as many units, and then at most four units a lane while a
 * workgroup suffices.
 */
export function lanesOf(d: number): Lanes {
  const units = d % 4 === 0 ? d / 4 : d;
  const lanes = Math.min(256, powerOfTwo(units), Math.max(32, powerOfTwo(Math.ceil(units / 4))));
  return {
    element: d % 4 === 0 ? 'vec4f' : 'f32',
    units,
    lanes,
    slots: Math.ceil(units / lanes),
    rows: 256 / lanes,
  };
}

/**
 * `row_sum(v, l, turn)`: sums of two numbers over the lanes of a row, in a fixed order; every
 * thread calls it. `turn` alternates between 0 and 1 from call to call, so that a call need not
 * wait for the readers of the one before. `total(v)`: sum of the components.
 */
export function laneCode({ element, lanes }: Lanes): string {
  const widths = [128, 64, 32].filter((width) => width < lanes);
  const last = Math.min(lanes, 32);
  return `
const LANES = ${lanes}u;
const ROWS = ${256 / lanes}u;
var<workgroup> row_parts: array<array<vec2f, 256>, 2>;
fn total(v: ${element}) -> f32 { return ${element === 'vec4f' ? '(v.x + v.y) + (v.z + v.w)' : 'v'}; }
fn row_sum(v: vec2f, l: u32, turn: u32) -> vec2f {
  row_parts[turn][l] = v;
  workgroupBarrier();
  ${widths
    .map(
      (width) => `
  if (l % LANES < ${width}u) { row_parts[turn][l] += row_parts[turn][l + ${width}u]; }
  workgroupBarrier();`,
    )
    .join('')}
  let first = l / LANES * LANES;
  var s0 = vec2f(); var s1 = vec2f(); var s2 = vec2f(); var s3 = vec2f();
  ${unroll(last, (i) => `s${i % 4} += row_parts[turn][first + ${i}u];`)}
  return (s0 + s1) + (s2 + s3);
}`;
}
