/**
 * Backward of LayerNorm and RMSNorm on WebGPU in two dispatches, without atomics: the first makes
 * dx and, of each block of rows, the sums that the weight's and bias's gradients are made of; the
 * second adds up the blocks in order.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import { dims2 } from '../host.ts';
import { unitCode, unroll, widthOf } from '../wgsl/index.ts';
import { laneCode, type Lanes, lanesOf } from './lanes.ts';

/**
 * Blocks of rows at most: enough workgroups for a large GPU, few enough for the second dispatch to
 * be short.
 */
const MAX_BLOCKS = 256;
/** Columns of a workgroup of the second dispatch; 32 lanes share the blocks. */
const FOLD_COLUMNS = 8;

export interface NormGradInputs {
  x: Tensor;
  weight: Tensor;
  /** null: RMSNorm, which does not centre. */ mean: Tensor | null;
  rstd: Tensor;
  dy: Tensor;
}
/** What is there already and is added to. */
export interface NormGradInto {
  dx?: Tensor;
  weight?: Tensor;
  bias?: Tensor;
}

interface Variant {
  centre: boolean;
  bias: boolean;
  add: boolean;
}

function blockCode(lanes: Lanes, units: string, { centre, bias, add }: Variant): string {
  const { element: E, slots, rows } = lanes;
  const planes = bias ? 2 : 1;
  const sumOf = (of: (k: number) => string): string =>
    Array.from({ length: slots }, (_, k) => `total(${of(k)})`).join(' + ');
  // With several rows at once their sums meet in shared memory: the threads of row 0 add up the
  // weight's, those of row 1 the bias's.
  const finish = (k: number): string =>
    rows === 1
      ? `if (u${k} < p.units) { parts[w.x * ${planes}u * p.units + u${k}] = dw${k}; ${bias ? `parts[(w.x * 2u + 1u) * p.units + u${k}] = db${k};` : ''} }`
      : `
  column_parts[0][l] = dw${k};
  ${bias ? `column_parts[1][l] = db${k};` : ''}
  workgroupBarrier();
  if (group < ${planes}u && u${k} < p.units) {
    var sum = ${E}();
    for (var n = 0u; n < ROWS; n++) { sum += column_parts[group][n * LANES + lane]; }
    parts[(w.x * ${planes}u + group) * p.units + u${k}] = sum;
  }
  workgroupBarrier();`;
  return `${units}${laneCode(lanes)}
@group(0) @binding(0) var<storage, read_write> parts: array<${E}>;
@group(0) @binding(1) var<storage, read_write> dx: array<dx_stored>;
@group(0) @binding(2) var<storage, read> x: array<x_stored>;
@group(0) @binding(3) var<storage, read> weight: array<${E}>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<dy_stored>;
${centre ? '@group(0) @binding(6) var<storage, read> mean: array<f32>;' : ''}
struct Params { n: u32, units: u32, rows: u32, d: f32 }
@group(0) @binding(${centre ? 7 : 6}) var<uniform> p: Params;
${rows > 1 ? `var<workgroup> column_parts: array<array<${E}, 256>, ${planes}>;` : ''}

// dx = rstd (t - mean(t) - h mean(t h)), t = dy weight, h = (x - mean) rstd; without the means
// where nothing is centred.
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let lane = l % LANES; let group = l / LANES;
  let first = w.x * p.rows; let end = min(p.n, first + p.rows);
  ${unroll(slots, (k) => `let u${k} = lane + ${k}u * LANES; var w${k} = ${E}(); if (u${k} < p.units) { w${k} = weight[u${k}]; } var dw${k} = ${E}(); ${bias ? `var db${k} = ${E}();` : ''}`)}
  var turn = 0u;
  for (var at = first; at < end; at += ROWS) {
    let row = at + group; let here = row < end; let start = row * p.units;
    var m = 0.0; var r = 0.0;
    if (here) { r = rstd[row]; ${centre ? 'm = mean[row];' : ''} }
    ${unroll(slots, (k) => `var g${k} = ${E}(); var h${k} = ${E}(); if (here && u${k} < p.units) { g${k} = get_dy(dy[start + u${k}]); h${k} = (get_x(x[start + u${k}]) - m) * r; } let t${k} = g${k} * w${k};`)}
    let means = row_sum(vec2f(${centre ? sumOf((k) => `t${k}`) : '0.0'}, ${sumOf((k) => `t${k} * h${k}`)}), l, turn) / p.d;
    turn = 1u - turn;
    ${unroll(slots, (k) => `if (here && u${k} < p.units) { dx[start + u${k}] = put_dx(${add ? `get_dx(dx[start + u${k}]) + ` : ''}r * (t${k}${centre ? ' - means.x' : ''} - h${k} * means.y)); } dw${k} += g${k} * h${k}; ${bias ? `db${k} += g${k};` : ''}`)}
  }
  ${unroll(slots, finish)}
}`;
}

/** `outs` in the order of their bindings: those that are written before those that are added to. */
function foldCode(outs: readonly { name: 'weight' | 'bias'; add: boolean }[]): string {
  const two = outs.length === 2;
  const V = two ? 'vec2f' : 'f32';
  const part = { weight: two ? 'sum.x' : 'sum', bias: 'sum.y' };
  return `
${outs.map(({ name }, i) => `@group(0) @binding(${i}) var<storage, read_write> ${name}: array<f32>;`).join('\n')}
@group(0) @binding(${outs.length}) var<storage, read> parts: array<f32>;
struct Params { blocks: u32, d: u32 }
@group(0) @binding(${outs.length + 1}) var<uniform> p: Params;
var<workgroup> lane_parts: array<${V}, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * ${FOLD_COLUMNS}u + l % ${FOLD_COLUMNS}u;
  var sum = ${V}();
  if (column < p.d) {
    for (var i = l / ${FOLD_COLUMNS}u; i < p.blocks; i += ${256 / FOLD_COLUMNS}u) {
      ${two ? 'let at = i * 2u * p.d + column; sum += vec2f(parts[at], parts[at + p.d]);' : 'sum += parts[i * p.d + column];'}
    }
  }
  lane_parts[l] = sum;
  workgroupBarrier();
  if (l < ${FOLD_COLUMNS}u && column < p.d) {
    for (var n = 1u; n < ${256 / FOLD_COLUMNS}u; n++) { sum += lane_parts[n * ${FOLD_COLUMNS}u + l]; }
    ${outs.map(({ name, add }) => `${name}[column] ${add ? '+=' : '='} ${part[name]};`).join(' ')}
  }
}`;
}

/** Adds up parts [blocks, 1 or 2, d] over the blocks. */
function fold(
  parts: Tensor,
  blocks: number,
  d: number,
  outs: readonly { name: 'weight' | 'bias'; tensor: Tensor; add: boolean }[],
): void {
  const writes = outs.filter((o) => !o.add);
  const updates = outs.filter((o) => o.add);
  dispatch({
    name: 'norm_grad_fold',
    code: foldCode([...writes, ...updates]),
    writes: writes.map((o) => o.tensor),
    updates: updates.map((o) => o.tensor),
    reads: [parts],
    params: [
      ['u32', blocks],
      ['u32', d],
    ],
    workgroups: [Math.ceil(d / FOLD_COLUMNS), 1, 1],
  });
  parts.dispose();
}

/** dx and the blocks' sums, in one dispatch. */
function blockSums(
  name: string,
  { x, weight, mean, rstd, dy }: NormGradInputs,
  bias: boolean,
  into: Tensor | undefined,
): { dx: Tensor; parts: Tensor; blocks: number } {
  const [n, d] = dims2(x.shape);
  const lanes = lanesOf(d);
  const rounds = Math.ceil(n / (lanes.rows * MAX_BLOCKS));
  const rows = lanes.rows * Math.max(1, rounds);
  const blocks = Math.max(1, Math.ceil(n / rows));
  const parts = output([blocks, bias ? 2 : 1, d]);
  const dx = into ?? activation([n, d]);
  dispatch({
    name,
    code: blockCode(lanes, unitCode(widthOf(d), { x, dx, dy }), {
      centre: mean !== null,
      bias,
      add: into !== undefined,
    }),
    writes: into ? [parts] : [parts, dx],
    updates: into ? [into] : [],
    reads: [x, weight, rstd, dy, ...(mean ? [mean] : [])],
    params: [
      ['u32', n],
      ['u32', lanes.units],
      ['u32', rows],
      ['f32', d],
    ],
    workgroups: [blocks, 1, 1],
  });
  return { dx, parts, blocks };
}

/** Gradients of x and weight: new, or added to `into`. */
export function normGradKernel(
  name: string,
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight', Tensor> {
  const { size: d } = inputs.weight;
  const { dx, parts, blocks } = blockSums(name, inputs, false, into.dx);
  const weight = into.weight ?? output([d]);
  fold(parts, blocks, d, [{ name: 'weight', tensor: weight, add: into.weight !== undefined }]);
  return { dx, weight };
}

/** The same with a bias. */
export function normGradBiasKernel(
  name: string,
  inputs: NormGradInputs,
  into: NormGradInto,
): Record<'dx' | 'weight' | 'bias', Tensor> {
  const { size: d } = inputs.weight;
  const { dx, parts, blocks } = blockSums(name, inputs, true, into.dx);
  const weight = into.weight ?? output([d]);
  const bias = into.bias ?? output([d]);
  fold(parts, blocks, d, [
    { name: 'weight', tensor: weight, add: into.weight !== undefined },
    { name: 'bias', tensor: bias, add: into.bias !== undefined },
  ]);
  return { dx, weight, bias };
}
