/**
 * Matmuls with subgroup matrices (an experimental WGSL extension of Chromium): float16 x float16
 * accumulated in float32, on the matrix units of the GPU. A and B are stored as float16, or as
 * float32 and rounded on their way to shared memory. There a tile has memory's own orientation, with
 * eight float16 values of padding a row (without it, bank conflicts: 71 against 123 TFLOP/s on an
 * H100). The next tile is read while the current one is multiplied.
 *
 * M and N must be multiples of 16, K of 4, and subgroups must have 32 threads. The kernel keeps all
 * shared values in one buffer called `memory`, which `testing/emulate_subgroups.ts` relies on.
 */
import { bindingsCode, finishCode, finishReads, loaded, slotsOf } from './epilogue.ts';
import {
  PADDING,
  type SubgroupOperand,
  type SubgroupOperands,
  subgroupOperandsOf,
  subgroupStaging,
} from './subgroup_operand.ts';
import { lines, words } from './text.ts';
import { type SubgroupTile, threadsOf } from './tile.ts';
import type { Variant } from './variant.ts';

/** Loads fragment `i` of an operand along m or n, and `k` along k. */
function loadFragment(operand: SubgroupOperand, i: number, k: number): string {
  const { name, offset, stride, k_is_slow, subgroup } = operand;
  const side = name === 'A' ? 'left' : 'right';
  const first = k_is_slow
    ? `${offset + k * 16 * stride + i * 16}u + ${subgroup}`
    : `${offset + i * 16 * stride + k * 16}u + ${subgroup} * ${stride}u`;
  // A fragment of A is [m][k] and one of B is [k][n]: in column order where memory is transposed.
  const order = (name === 'A') === k_is_slow ? 'col_major' : 'row_major';
  const load = `subgroupMatrixLoad<subgroup_matrix_${side}<f16, 16, 16>, ${order}>`;
  return `let f${name}${i} = ${load}(halves, ${first}, ${stride}u);`;
}

function multiplyCode(tile: SubgroupTile, [a, b]: SubgroupOperands): string {
  const rows = tile.WM / 16;
  const columns = tile.WN / 16;
  const multiply = (i: number, j: number): string =>
    `c${i}_${j} = subgroupMatrixMultiplyAccumulate(fA${i}, fB${j}, c${i}_${j});`;
  return lines(
    tile.BK / 16,
    (k) => `{
    ${words(rows, (i) => loadFragment(a, i, k))}
    ${words(columns, (j) => loadFragment(b, j, k))}
    ${lines(rows, (i) => words(columns, (j) => multiply(i, j)))} }`,
  );
}

/**
 * Sixteen rows at a time go through shared memory, from which each thread takes vec4 and finishes
 * them, two at a time in a loop: the accumulators take up to 128 registers of a thread, which leaves
 * no room for more. Padded rows, and storing vec4 instead of fragments, take a third less time on an
 * H100, with and without an epilogue.
 */
function storeCode(tile: SubgroupTile, variant: Variant): string {
  const across = tile.WN / 4;
  const stride = tile.WN + PADDING;
  const units = (16 * across) / 32;
  const step = units % 2 === 0 ? 2 : 1;
  const reads = finishReads(variant.epilogue);
  const storeFragment = (i: number, j: number): string => {
    const offset = `group * ${16 * stride}u + ${j * 16}u`;
    return `subgroupMatrixStore<row_major>(floats, ${offset}, c${i}_${j}, ${stride}u);`;
  };
  const readUnit = (i: number, u: number): string => {
    const unit = `(unit + ${u * 32}u)`;
    const place = `${unit} / ${across}u * ${stride / 4}u + ${unit} % ${across}u`;
    const readValue = ({ name, index }: (typeof reads)[number]): string => {
      const at = index === 'i' ? `at${u}` : `column_${u} >> 2u`;
      return `let ${name}_${u} = ${loaded(variant.float16, name, at)};`;
    };
    return `let row_${u} = m0 + wm + ${i * 16}u + ${unit} / ${across}u;
    let column_${u} = n0 + wn + ${unit} % ${across}u * 4u;
    let at${u} = (start + row_${u} * N + column_${u}) >> 2u;
    let v${u} = fours[group * ${4 * stride}u + ${place}];
    ${reads.map(readValue).join(' ')}`;
  };
  const finishUnit = (u: number): string => {
    const values = [`at${u}`, `v${u}`, ...reads.map(({ name }) => `${name}_${u}`)];
    return `if (row_${u} < M && column_${u} < N) { finish(${values.join(', ')}); }`;
  };
  return lines(
    tile.WM / 16,
    (i) => `${words(tile.WN / 16, (j) => storeFragment(i, j))}
  workgroupBarrier();
  for (var unit = lane; unit < ${32 * units}u; unit += ${32 * step}u) {
    ${lines(step, (u) => readUnit(i, u))}
    ${lines(step, finishUnit)}
  }
  workgroupBarrier();`,
  );
}

/** Bytes of shared memory: the operands' tiles, later replaced by the rows that are finished. */
function sharedBytes(tile: SubgroupTile, [a, b]: SubgroupOperands): number {
  return Math.max(
    2 * (a.rows * a.stride + b.rows * b.stride),
    (threadsOf(tile) / 32) * 16 * (tile.WN + PADDING) * 4,
  );
}

const HEADER = `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
requires buffer_view;
diagnostic(off, chromium.subgroup_matrix_uniformity);
struct Params { M: u32, N: u32, K: u32, k_per_split: u32 }`;

/** Bindings, uniforms and workgroups are those of `matmulCode`. Throws on column sums. */
export function subgroupCode(tile: SubgroupTile, variant: Variant): string {
  if (variant.epilogue.columns !== 'none')
    throw new Error('The subgroup kernel cannot sum columns.');
  const { BM, BN, BK, WM, WN } = tile;
  const operands = subgroupOperandsOf(tile, variant);
  const a = subgroupStaging(operands[0], tile, variant.k_edge);
  const b = subgroupStaging(operands[1], tile, variant.k_edge);
  const across = BN / WN;
  const load = (k: string): string => `${a.load(k)}\n${b.load(k)}`;
  const bytes = sharedBytes(tile, operands);
  const accumulator = (i: number, j: number): string =>
    `var c${i}_${j}: subgroup_matrix_result<f32, 16, 16>;`;
  return `${HEADER}
${bindingsCode(slotsOf(variant.epilogue, ['A', 'B']), variant.float16, () => 'vec4f')}
var<workgroup> memory: buffer<${bytes}>;
${finishCode(variant.epilogue, true, variant.float16)}
@compute @workgroup_size(${threadsOf(tile)})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let M = p.M; let N = p.N; let K = p.K;
  let group = tid >> 5u; let lane = tid & 31u;
  let wm = group / ${across}u * ${WM}u; let wn = group % ${across}u * ${WN}u;
  let m0 = wg.y * ${BM}u; let n0 = wg.x * ${BN}u;
  let k_start = wg.z * p.k_per_split; let k_end = min(k_start + p.k_per_split, K);
  let k_last = k_start + (k_end - k_start - 1u) / ${BK}u * ${BK}u;
  let pairs = bufferView<array<vec2u, ${bytes / 8}>>(&memory, 0u);
  let halves = bufferView<array<f16, ${bytes / 2}>>(&memory, 0u);
  let floats = bufferView<array<f32, ${bytes / 4}>>(&memory, 0u);
  let fours = bufferView<array<vec4f, ${bytes / 16}>>(&memory, 0u);
  ${a.setup}
  ${b.setup}
  ${a.declare}
  ${b.declare}
  ${lines(WM / 16, (i) => words(WN / 16, (j) => accumulator(i, j)))}
  ${load('k_start')}
  for (var k = k_start; k < k_end; k += ${BK}u) {
    ${a.store}
    ${b.store}
    workgroupBarrier();
    let next = min(k + ${BK}u, k_last);
    ${load('next')}
    ${multiplyCode(tile, operands)}
    workgroupBarrier();
  }
  let start = wg.z * M * N;
  ${storeCode(tile, variant)}
}`;
}
