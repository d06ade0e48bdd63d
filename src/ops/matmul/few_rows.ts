/**
 * Matmuls with few rows of A, as in generation (M sequences, one token each), for which a tile of
 * rows would be mostly empty: C [M, N] = A op(B). One thread reads each value of B once. K is
 * divided among the threads of a workgroup, which adds up the parts in order, so a second kernel is
 * not needed and results are deterministic. Only B, a weight, may be stored as float16: generation
 * stores no activations so.
 */
import {
  bindingsCode,
  type Epilogue,
  finishNow,
  finishCode,
  type Float16Slots,
  loaded,
  NO_FLOAT16,
  type SlotName,
  slotsOf,
} from './epilogue.ts';
import type { MatmulSize } from './plan.ts';
import { words } from './text.ts';

const THREADS = 256;

const powerOfTwo = (n: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(n)));

/** The most rows for which this kernel is used; with more, a tile is as fast. */
export const FEW_ROWS = 16;

export interface FewRows {
  transpose_b: boolean;
  /** Rows of A that a workgroup takes; a power of two. */
  rows: number;
  /** Threads along N (B as stored) or along K (B transposed). */
  lanes: number;
  threads: number;
  /** K is a multiple of four. */
  vec_k: boolean;
  /** N is a multiple of four. Ignored if B is transposed. */
  vec_n: boolean;
  /** B is stored as float16. */
  float16_b: boolean;
}

/** How a matmul of few rows is divided among threads and workgroups. */
export function fewRowsPlan(
  { M, N, K }: MatmulSize,
  { transpose_b, float16_b }: Pick<FewRows, 'transpose_b' | 'float16_b'>,
): { shape: FewRows; workgroups: [number, number, number] } {
  const rows = Math.min(8, powerOfTwo(M));
  const vec_k = K % 4 === 0;
  const vec_n = N % 4 === 0;
  // B transposed: a lane reads about four vec4 of a row of B. B as stored: narrow matmuls use narrow
  // workgroups, so that there are more of them, and a thread takes at least two steps of K, because
  // each doubling of the threads adds a round to the reduction.
  const slices = Math.min(64, powerOfTwo(K / (vec_k ? 8 : 2)));
  const lanes = transpose_b
    ? Math.min(32, Math.max(4, 2 ** Math.round(Math.log2(K / 16))))
    : Math.max(N >= 2048 && slices < 64 ? 8 : 4, 32 / slices);
  const threads = transpose_b ? THREADS : lanes * slices;
  const columns = transpose_b ? threads / lanes : lanes * (vec_n ? 4 : 1);
  const x = Math.ceil(N / columns);
  const y = Math.ceil(x / 65535);
  return {
    shape: { transpose_b, rows, lanes, threads, vec_k, vec_n, float16_b },
    workgroups: [Math.ceil(x / y), y, Math.ceil(M / rows)],
  };
}

/**
 * Bindings: `slotsOf(epilogue, ['A', 'B'])`. Uniforms: M, N, K. The epilogue must not sum columns.
 */
export function fewRowsCode(shape: FewRows, epilogue: Epilogue): string {
  const vec_c = shape.vec_n && !shape.transpose_b;
  const isVec = (name: SlotName): boolean => {
    if (name === 'A') return shape.vec_k;
    return name === 'B' && shape.transpose_b ? shape.vec_k : vec_c;
  };
  const slots = slotsOf(epilogue, ['A', 'B']);
  const float16 = float16Of(shape);
  return `
struct Params { M: u32, N: u32, K: u32 }
${bindingsCode(slots, float16, (name) => (isVec(name) ? 'vec4f' : 'f32'))}
${finishCode(epilogue, vec_c, float16)}
${shape.transpose_b ? transposedCode(shape, epilogue) : plainCode(shape, epilogue)}`;
}

const float16Of = ({ float16_b }: FewRows): Float16Slots => (float16_b ? FLOAT16_B : NO_FLOAT16);
const FLOAT16_B: Float16Slots = new Set(['B']);

const mainHead = ({ threads }: FewRows): string => `@compute @workgroup_size(${threads})
fn main(
  @builtin(workgroup_id) wg: vec3u,
  @builtin(num_workgroups) count: vec3u,
  @builtin(local_invocation_index) tid: u32
) {`;

/** Offsets of the rows of A. A row past the end reads the last row and is not stored. */
const rowsOfA = ({ rows }: FewRows): string =>
  words(rows, (r) => `let a${r} = min(m0 + ${r}u, p.M - 1u) * units;`);

/** Finishes `parts[r][tid]` as the value of row `row` and column n; `width`: elements of a row. */
function finishRow(epilogue: Epilogue, row: number, r: number, width: string): string {
  const value = `parts[${r}][tid]`;
  return `{
    let m = m0 + ${row}u;
    if (m < p.M) {
      let i = m * ${width} + n;
      ${finishNow(epilogue, NO_FLOAT16, { i: 'i', n: 'n', value })};
    }
  }`;
}

/**
 * B [K, N]: a thread computes one column, or four, over every `slices`-th step of K. Two rows at a
 * time are reduced over the slices.
 */
function plainCode(shape: FewRows, epilogue: Epilogue): string {
  const { rows, lanes, threads, vec_k, vec_n } = shape;
  const T = vec_n ? 'vec4f' : 'f32';
  const group = Math.min(2, rows);
  const slices = threads / lanes;
  const multiply = (r: number): string =>
    `{ let a = A[a${r} + k]; c${r} += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3; }`;
  const valueOfB = (index: string): string => loaded(float16Of(shape), 'B', index);
  const step = vec_k
    ? `let b = k * 4u * width + n;
    ${words(4, (i) => `let b${i} = ${valueOfB(`b + ${i}u * width`)};`)}
    ${words(rows, multiply)}`
    : `let b = ${valueOfB('k * width + n')};
    ${words(rows, (r) => `c${r} += A[a${r} + k] * b;`)}`;
  const reduceGroup = (g: number): string => `
  ${words(group, (r) => `parts[${r}][tid] = c${g * group + r};`)}
  workgroupBarrier();
  for (var w = ${threads / 2}u; w >= ${lanes}u; w >>= 1u) {
    if (tid < w) { ${words(group, (r) => `parts[${r}][tid] += parts[${r}][tid + w];`)} }
    workgroupBarrier();
  }
  if (tid < ${lanes}u && column < width) {
    ${words(group, (r) => finishRow(epilogue, g * group + r, r, 'width'))}
  }`;
  return `
var<workgroup> parts: array<array<${T}, ${threads}>, ${group}>;
${mainHead(shape)}
  let lane = tid % ${lanes}u;
  let slice = tid / ${lanes}u;
  let width = p.N${vec_n ? ' >> 2u' : ''};
  let units = p.K${vec_k ? ' >> 2u' : ''};
  let column = (wg.y * count.x + wg.x) * ${lanes}u + lane;
  let n = min(column, width - 1u);
  let m0 = wg.z * ${rows}u;
  ${rowsOfA(shape)}
  ${words(rows, (r) => `var c${r} = ${T}();`)}
  for (var k = slice; k < units; k += ${slices}u) { ${step} }
  ${words(rows / group, reduceGroup)}
}`;
}

/** B [N, K]: the lanes of a column read its row of B side by side. */
function transposedCode(shape: FewRows, epilogue: Epilogue): string {
  const { rows, lanes, threads, vec_k } = shape;
  const multiply = (r: number): string =>
    vec_k ? `c${r} += dot(A[a${r} + k], b);` : `c${r} += A[a${r} + k] * b;`;
  return `
var<workgroup> parts: array<array<f32, ${threads}>, ${rows}>;
${mainHead(shape)}
  let lane = tid % ${lanes}u;
  let units = p.K${vec_k ? ' >> 2u' : ''};
  let column = (wg.y * count.x + wg.x) * ${threads / lanes}u + tid / ${lanes}u;
  let n = min(column, p.N - 1u);
  let m0 = wg.z * ${rows}u;
  ${rowsOfA(shape)}
  ${words(rows, (r) => `var c${r} = 0.0;`)}
  for (var k = lane; k < units; k += ${lanes}u) {
    let b = ${loaded(float16Of(shape), 'B', 'n * units + k')};
    ${words(rows, multiply)}
  }
  ${words(rows, (r) => `parts[${r}][tid] = c${r};`)}
  workgroupBarrier();
  for (var w = ${lanes / 2}u; w > 0u; w >>= 1u) {
    if (lane < w) { ${words(rows, (r) => `parts[${r}][tid] += parts[${r}][tid + w];`)} }
    workgroupBarrier();
  }
  if (lane == 0u && column < p.N) {
    ${words(rows, (r) => finishRow(epilogue, r, r, 'p.N'))}
  }
}`;
}
