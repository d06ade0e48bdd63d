/**
 * Products with few rows of A, as generation has them (M sequences, one token each): C[M, N] = A
 * op(B), where a tile of rows would be empty for the most part. Every value of B is read once by
 * one thread; K is shared out within a workgroup, which adds the parts up in order, so that there
 * is neither a second kernel nor a chance of another result.
 */
import {
  bindingsCode,
  type Epilogue,
  finishNow,
  finishCode,
  NO_HALVES,
  slotsOf,
} from './epilogue.ts';

const THREADS = 256;
const powerOfTwo = (n: number): number => 2 ** Math.max(0, Math.ceil(Math.log2(n)));
/** From this many rows on a tile is no worse. */
export const FEW_ROWS = 16;

export interface FewRows {
  transpose_b: boolean;
  /** Rows of A that a workgroup takes: a power of two. */
  rows: number;
  /** Threads along N (B as it lies in memory), or along K (B transposed). */
  lanes: number;
  threads: number;
  /** K is a multiple of four. */
  vec_k: boolean;
  /** N is a multiple of four; of consequence where B is not transposed. */
  vec_n: boolean;
}

/** How a product of M rows is shared out; `workgroups` go with it. */
export function fewRowsPlan(
  M: number,
  N: number,
  K: number,
  transpose_b: boolean,
): { shape: FewRows; workgroups: [number, number, number] } {
  const rows = Math.min(8, powerOfTwo(M));
  const vec_k = K % 4 === 0;
  const vec_n = N % 4 === 0;
  // Transposed, a lane reads about four vec4 of a row of B. Else narrow products get narrow
  // workgroups, so that there are more of them, and a thread takes two steps of K or more: each
  // doubling of the threads is one more round of adding up.
  const slices = Math.min(64, powerOfTwo(K / (vec_k ? 8 : 2)));
  const lanes = transpose_b
    ? Math.min(32, Math.max(4, 2 ** Math.round(Math.log2(K / 16))))
    : Math.max(N >= 2048 && slices < 64 ? 8 : 4, 32 / slices);
  const threads = transpose_b ? THREADS : lanes * slices;
  const columns = transpose_b ? threads / lanes : lanes * (vec_n ? 4 : 1);
  const x = Math.ceil(N / columns);
  const y = Math.ceil(x / 65535);
  return {
    shape: { transpose_b, rows, lanes, threads, vec_k, vec_n },
    workgroups: [Math.ceil(x / y), y, Math.ceil(M / rows)],
  };
}

const seq = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const each = (n: number, piece: (i: number) => string): string => seq(n).map(piece).join(' ');

/**
 * Bindings `slotsOf(epilogue, [A, B])`, uniforms M, N, K. The epilogue makes no column sums.
 * Float32 alone: generation has no halves.
 */
export function fewRowsCode(s: FewRows, e: Epilogue): string {
  const vec = s.vec_n && !s.transpose_b;
  const body = s.transpose_b ? transposedCode(s, e) : plainCode(s, e);
  return `
struct Params { M: u32, N: u32, K: u32 }
${bindingsCode(slotsOf(e, ['A', 'B']), NO_HALVES, (name) => (name === 'A' ? (s.vec_k ? 'vec4f' : 'f32') : name === 'B' ? (s.transpose_b ? (s.vec_k ? 'vec4f' : 'f32') : vec ? 'vec4f' : 'f32') : vec ? 'vec4f' : 'f32'))}
${finishCode(e, vec, NO_HALVES)}
${body}`;
}

const head = ({ threads }: FewRows): string => `@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {`;
/** A row beyond the last is read as the last and not stored. */
const rowsOfA = (s: FewRows): string =>
  each(s.rows, (r) => `let a${r} = min(m0 + ${r}u, p.M - 1u) * units;`);

/**
 * B [K, N]: a thread has one column (or four), and every so many steps of K. Two rows at a time are
 * added up.
 */
function plainCode(s: FewRows, e: Epilogue): string {
  const T = s.vec_n ? 'vec4f' : 'f32';
  const group = Math.min(2, s.rows);
  const slices = s.threads / s.lanes;
  const step = s.vec_k
    ? `let b = k * 4u * width + n; ${each(4, (i) => `let b${i} = B[b + ${i}u * width];`)} ${each(s.rows, (r) => `{ let a = A[a${r} + k]; c${r} += a.x * b0 + a.y * b1 + a.z * b2 + a.w * b3; }`)}`
    : `let b = B[k * width + n]; ${each(s.rows, (r) => `c${r} += A[a${r} + k] * b;`)}`;
  return `
var<workgroup> parts: array<array<${T}, ${s.threads}>, ${group}>;
${head(s)}
  let lane = tid % ${s.lanes}u; let slice = tid / ${s.lanes}u;
  let width = p.N${s.vec_n ? ' >> 2u' : ''}; let units = p.K${s.vec_k ? ' >> 2u' : ''};
  let column = (wg.y * count.x + wg.x) * ${s.lanes}u + lane; let n = min(column, width - 1u); let m0 = wg.z * ${s.rows}u;
  ${rowsOfA(s)}
  ${each(s.rows, (r) => `var c${r} = ${T}();`)}
  for (var k = slice; k < units; k += ${slices}u) { ${step} }
  ${each(
    s.rows / group,
    (g) => `
  ${each(group, (r) => `parts[${r}][tid] = c${g * group + r};`)}
  workgroupBarrier();
  for (var w = ${s.threads / 2}u; w >= ${s.lanes}u; w >>= 1u) {
    if (tid < w) { ${each(group, (r) => `parts[${r}][tid] += parts[${r}][tid + w];`)} }
    workgroupBarrier();
  }
  if (tid < ${s.lanes}u && column < width) { ${each(group, (r) => `{ let m = m0 + ${g * group + r}u; if (m < p.M) { let i = m * width + n; ${finishNow(e, NO_HALVES, 'i', 'n', `parts[${r}][tid]`)}; } }`)} }`,
  )}
}`;
}

/** B [N, K]: the lanes of a column read its row of B side by side. */
function transposedCode(s: FewRows, e: Epilogue): string {
  const step = each(s.rows, (r) =>
    s.vec_k ? `c${r} += dot(A[a${r} + k], b);` : `c${r} += A[a${r} + k] * b;`,
  );
  return `
var<workgroup> parts: array<array<f32, ${s.threads}>, ${s.rows}>;
${head(s)}
  let lane = tid % ${s.lanes}u; let units = p.K${s.vec_k ? ' >> 2u' : ''};
  let column = (wg.y * count.x + wg.x) * ${s.threads / s.lanes}u + tid / ${s.lanes}u; let n = min(column, p.N - 1u); let m0 = wg.z * ${s.rows}u;
  ${rowsOfA(s)}
  ${each(s.rows, (r) => `var c${r} = 0.0;`)}
  for (var k = lane; k < units; k += ${s.lanes}u) { let b = B[n * units + k]; ${step} }
  ${each(s.rows, (r) => `parts[${r}][tid] = c${r};`)}
  workgroupBarrier();
  for (var w = ${s.lanes / 2}u; w > 0u; w >>= 1u) {
    if (lane < w) { ${each(s.rows, (r) => `parts[${r}][tid] += parts[${r}][tid + w];`)} }
    workgroupBarrier();
  }
  if (lane == 0u && column < p.N) { ${each(s.rows, (r) => `{ let m = m0 + ${r}u; if (m < p.M) { let i = m * p.N + n; ${finishNow(e, NO_HALVES, 'i', 'n', `parts[${r}][tid]`)}; } }`)} }
}`;
}
