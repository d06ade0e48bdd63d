/** WGSL of the forward pass of LayerNorm and RMSNorm. */
import { unroll } from '../wgsl/index.ts';
import { laneCode, type Lanes, sumOverSlots } from './lanes.ts';

export interface NormVariant {
  lanes: Lanes;
  /** WGSL that defines how x and y are stored (`unitCode`). */
  units: string;
  /** Subtract the mean (LayerNorm) or not (RMSNorm). */
  center: boolean;
  bias: boolean;
}

/**
 * The kernel. Each row is loaded into registers once; from there come its mean, the mean square of
 * the centered row, and the output.
 */
export function normCode(variant: NormVariant): string {
  const { lanes, units, center, bias } = variant;
  const { element, slots } = lanes;
  const square = (k: number): string => `x${k} * x${k}`;
  return `${units}${laneCode(lanes)}
${bindings(variant)}

@compute @workgroup_size(256)
fn main(
  @builtin(workgroup_id) w: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) l: u32
) {
  let lane = l % LANES;
  let row = (w.y * count.x + w.x) * ROWS + l / LANES;
  let here = row < p.n;
  let start = row * p.units;
  ${unroll(slots, (k) => loadCode(k, element))}
  ${center ? centerCode(slots) : ''}
  let r = inverseSqrt(row_sum(vec2f(${sumOverSlots(slots, square)}, 0.0), l, 1u).x / p.d + p.eps);
  ${unroll(slots, (k) => storeCode(k, bias))}
  if (here && lane == 0u) {
    rstd[row] = r;
    ${center ? 'mean[row] = m;' : ''}
  }
}`;
}

function bindings({ lanes: { element }, center, bias }: NormVariant): string {
  const firstInput = center ? 3 : 2;
  const mean = '@group(0) @binding(2) var<storage, read_write> mean: array<f32>;';
  const biasBinding = `@group(0) @binding(${firstInput + 2}) var<storage, read> bias: array<${element}>;`;
  return `
@group(0) @binding(0) var<storage, read_write> y: array<y_stored>;
@group(0) @binding(1) var<storage, read_write> rstd: array<f32>;
${center ? mean : ''}
@group(0) @binding(${firstInput}) var<storage, read> x: array<x_stored>;
@group(0) @binding(${firstInput + 1}) var<storage, read> weight: array<${element}>;
${bias ? biasBinding : ''}
struct Params { n: u32, units: u32, d: f32, eps: f32 }
@group(0) @binding(${firstInput + (bias ? 3 : 2)}) var<uniform> p: Params;`;
}

/** Loads slot k of the lane; slots beyond the row stay zero. */
const loadCode = (k: number, element: string): string => `
  let u${k} = lane + ${k}u * LANES;
  let in${k} = here && u${k} < p.units;
  var x${k} = ${element}();
  if (in${k}) { x${k} = get_x(x[start + u${k}]); }`;

/** Slots beyond the row are not centered: they must stay zero for the mean square. */
const centerCode = (slots: number): string => `
  let m = row_sum(vec2f(${sumOverSlots(slots, (k) => `x${k}`)}, 0.0), l, 0u).x / p.d;
  ${unroll(slots, (k) => `if (in${k}) { x${k} -= m; }`)}`;

function storeCode(k: number, bias: boolean): string {
  const scaled = `x${k} * r * weight[u${k}]`;
  const value = bias ? `${scaled} + bias[u${k}]` : scaled;
  return `if (in${k}) { y[start + u${k}] = put_y(${value}); }`;
}
