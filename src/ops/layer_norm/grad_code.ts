/** WGSL of the backward pass of LayerNorm and RMSNorm; grad_kernel.ts describes its two kernels. */
import { unroll } from '../wgsl/index.ts';
import { laneCode, type Lanes, sumOverSlots } from './lanes.ts';

/** Columns that a workgroup of the fold kernel reduces; 32 lanes share the blocks of a column. */
export const FOLD_COLUMNS = 8;
const FOLD_LANES = 256 / FOLD_COLUMNS;

export interface BlockVariant {
  lanes: Lanes;
  /** WGSL that defines how x, dx and dy are stored (`unitCode`). */
  units: string;
  /** LayerNorm (true) or RMSNorm (false). */
  center: boolean;
  /** Whether the bias's gradient is wanted as well. */
  bias: boolean;
  /** Add to dx instead of writing it. */
  add: boolean;
}

/**
 * The first kernel: dx, and for each block of rows the partial sums of the weight's gradient (and
 * of the bias's) in `parts` [blocks, 1 or 2, d].
 */
export function blockCode(variant: BlockVariant): string {
  const { lanes, units, center, bias } = variant;
  const { slots } = lanes;
  const meanOfT = center ? sumOverSlots(slots, (k) => `t${k}`) : '0.0';
  const meanOfTH = sumOverSlots(slots, (k) => `t${k} * h${k}`);
  return `${units}${laneCode(lanes)}
${blockBindings(variant)}

// dx = rstd (t - mean(t) - h mean(t h)), where t = dy weight and h = (x - mean) rstd. RMSNorm has
// neither mean(t) nor the mean of x.
@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let lane = l % LANES;
  let group = l / LANES;
  let first = w.x * p.rows;
  let end = min(p.n, first + p.rows);
  ${unroll(slots, (k) => declareSlot(k, lanes.element, bias))}
  var turn = 0u;
  for (var at = first; at < end; at += ROWS) {
    let row = at + group;
    let here = row < end;
    let start = row * p.units;
    var m = 0.0;
    var r = 0.0;
    if (here) {
      r = rstd[row];
      ${center ? 'm = mean[row];' : ''}
    }
    ${unroll(slots, (k) => loadSlot(k, lanes.element))}
    let means = row_sum(vec2f(${meanOfT}, ${meanOfTH}), l, turn) / p.d;
    turn = 1u - turn;
    ${unroll(slots, (k) => updateSlot(k, variant))}
  }
  ${unroll(slots, (k) => storePartialSums(k, lanes, bias))}
}`;
}

function blockBindings({ lanes: { element, rows }, center, bias }: BlockVariant): string {
  const mean = '@group(0) @binding(6) var<storage, read> mean: array<f32>;';
  const columnParts = `var<workgroup> column_parts: array<array<${element}, 256>, ${bias ? 2 : 1}>;`;
  return `
@group(0) @binding(0) var<storage, read_write> parts: array<${element}>;
@group(0) @binding(1) var<storage, read_write> dx: array<dx_stored>;
@group(0) @binding(2) var<storage, read> x: array<x_stored>;
@group(0) @binding(3) var<storage, read> weight: array<${element}>;
@group(0) @binding(4) var<storage, read> rstd: array<f32>;
@group(0) @binding(5) var<storage, read> dy: array<dy_stored>;
${center ? mean : ''}
struct Params { n: u32, units: u32, rows: u32, d: f32 }
@group(0) @binding(${center ? 7 : 6}) var<uniform> p: Params;
${rows > 1 ? columnParts : ''}`;
}

/** The lane's weights of slot k and its running sums of the parameters' gradients. */
const declareSlot = (k: number, element: string, bias: boolean): string => `
  let u${k} = lane + ${k}u * LANES;
  var w${k} = ${element}();
  if (u${k} < p.units) { w${k} = weight[u${k}]; }
  var dw${k} = ${element}();
  ${bias ? `var db${k} = ${element}();` : ''}`;

/** g = dy, h = (x - mean) rstd and t = dy weight in slot k of the row; zero beyond its end. */
const loadSlot = (k: number, element: string): string => `
    var g${k} = ${element}();
    var h${k} = ${element}();
    if (here && u${k} < p.units) {
      g${k} = get_dy(dy[start + u${k}]);
      h${k} = (get_x(x[start + u${k}]) - m) * r;
    }
    let t${k} = g${k} * w${k};`;

/** Stores dx of slot k and adds the row to the running sums. */
function updateSlot(k: number, { center, bias, add }: BlockVariant): string {
  const existing = add ? `get_dx(dx[start + u${k}]) + ` : '';
  const centered = center ? `t${k} - means.x` : `t${k}`;
  return `
    if (here && u${k} < p.units) {
      dx[start + u${k}] = put_dx(${existing}r * (${centered} - h${k} * means.y));
    }
    dw${k} += g${k} * h${k};
    ${bias ? `db${k} += g${k};` : ''}`;
}

/**
 * Stores slot k of the block's partial sums. If the workgroup processes several rows at once, their
 * sums meet in shared memory: the threads of row 0 add up the weight's, those of row 1 the bias's.
 */
function storePartialSums(k: number, { element, rows }: Lanes, bias: boolean): string {
  if (rows === 1 && bias)
    return `
  if (u${k} < p.units) {
    parts[w.x * 2u * p.units + u${k}] = dw${k};
    parts[(w.x * 2u + 1u) * p.units + u${k}] = db${k};
  }`;
  if (rows === 1) return `if (u${k} < p.units) { parts[w.x * p.units + u${k}] = dw${k}; }`;
  const planes = bias ? 2 : 1;
  return `
  column_parts[0][l] = dw${k};
  ${bias ? `column_parts[1][l] = db${k};` : ''}
  workgroupBarrier();
  if (group < ${planes}u && u${k} < p.units) {
    var sum = ${element}();
    for (var n = 0u; n < ROWS; n++) { sum += column_parts[group][n * LANES + lane]; }
    parts[(w.x * ${planes}u + group) * p.units + u${k}] = sum;
  }
  workgroupBarrier();`;
}

/** An output of the fold kernel. */
export interface FoldOutput {
  name: 'weight' | 'bias';
  /** Add to the tensor instead of writing it. */
  add: boolean;
}

/**
 * The second kernel: adds up `parts` over the blocks, in order. `outputs` are in the order of their
 * bindings: those that are written before those that are added to.
 */
export function foldCode(outputs: readonly FoldOutput[]): string {
  const withBias = outputs.length === 2;
  const sumType = withBias ? 'vec2f' : 'f32';
  const bindings = outputs.map(
    ({ name }, i) => `@group(0) @binding(${i}) var<storage, read_write> ${name}: array<f32>;`,
  );
  const addBlock = withBias
    ? `let at = i * 2u * p.d + column;
      sum += vec2f(parts[at], parts[at + p.d]);`
    : 'sum += parts[i * p.d + column];';
  return `
${bindings.join('\n')}
@group(0) @binding(${outputs.length}) var<storage, read> parts: array<f32>;
struct Params { blocks: u32, d: u32 }
@group(0) @binding(${outputs.length + 1}) var<uniform> p: Params;
const COLUMNS = ${FOLD_COLUMNS}u;
const LANES = ${FOLD_LANES}u;
var<workgroup> lane_parts: array<${sumType}, 256>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) w: vec3u, @builtin(local_invocation_index) l: u32) {
  let column = w.x * COLUMNS + l % COLUMNS;
  var sum = ${sumType}();
  if (column < p.d) {
    for (var i = l / COLUMNS; i < p.blocks; i += LANES) {
      ${addBlock}
    }
  }
  lane_parts[l] = sum;
  workgroupBarrier();
  if (l < COLUMNS && column < p.d) {
    for (var n = 1u; n < LANES; n++) { sum += lane_parts[n * COLUMNS + l]; }
    ${outputs.map((output) => storeColumn(output, withBias)).join('\n    ')}
  }
}`;
}

function storeColumn({ name, add }: FoldOutput, withBias: boolean): string {
  const component = name === 'weight' ? 'sum.x' : 'sum.y';
  return `${name}[column] ${add ? '+=' : '='} ${withBias ? component : 'sum'};`;
}
