/**
 * Generates the WGSL of C[M, N] = op(A) op(B) for one tile.
 *
 * The operands of a tile lie in shared memory as rows of k, in vec4 along m (or n): [BK][T/4][threads], so that thread r
 * reads its T values of a step as T/4 vec4, and every index but the thread's own is a literal after unrolling (no bounds
 * clamp inside the loop). An operand whose memory is contiguous in k is transposed in registers, 4 x 4 values at a time:
 * storing single components of a shared vec4 is faster on one card, but a compiler may write the whole vec4 there.
 * The next tile is read from memory into registers while this one is multiplied.
 */
import { bindingsCode, type Epilogue, finishCode, slotsOf } from './epilogue.ts';
import { type Tile, threadsOf } from './tile.ts';

export interface Variant {
  transpose_a: boolean;
  transpose_b: boolean;
  /** Rows of A, B and C are multiples of four values, and are read and written as vec4. */
  vec_a: boolean;
  vec_b: boolean;
  vec_c: boolean;
  /** K is no multiple of BK. */
  k_edge: boolean;
  epilogue: Epilogue;
}

const seq = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const lines = (n: number, piece: (i: number) => string): string => seq(n).map(piece).join('\n');
const component = (i: number): string => 'xyzw'.charAt(i % 4);

/** One operand: A with its rows m, or B with its columns n. */
interface Operand {
  name: 'A' | 'B';
  /** Size of the tile along m or n, values of a thread, threads along it. */
  W: number;
  T: number;
  R: number;
  /** Uniform that holds the whole size along m or n, variable of the tile's first m or n, and of the thread's place. */
  size: 'M' | 'N';
  first: string;
  thread: string;
  /** Memory has k as its slow index, so that four values along m (or n) are neighbours. */
  k_major: boolean;
  vec: boolean;
}

function operands(t: Tile, v: Variant): [Operand, Operand] {
  return [
    { name: 'A', W: t.BM, T: t.TM, R: t.BM / t.TM, size: 'M', first: 'm0', thread: 'ty', k_major: v.transpose_a, vec: v.vec_a },
    { name: 'B', W: t.BN, T: t.TN, R: t.BN / t.TN, size: 'N', first: 'n0', thread: 'tx', k_major: !v.transpose_b, vec: v.vec_b },
  ];
}

/** Reads four neighbours of an operand: `at` is a clamped vec4 column (or first column) of row k, or a row's number. */
function loadFunction(o: Operand, k_edge: boolean): string {
  const head = `fn load_${o.name}(at: u32, k: u32, k_end: u32) -> vec4f {`;
  if (o.k_major) {
    const value = o.vec ? `${o.name}[k * (p.${o.size} >> 2u) + at]`
      : `vec4f(${seq(4).map((e) => `${o.name}[row + min(at + ${e}u, p.${o.size} - 1u)]`).join(', ')})`;
    return `${head}
  ${o.vec ? '' : `let row = min(k, p.K - 1u) * p.${o.size};`}
  ${k_edge ? 'if (k >= k_end) { return vec4f(); }' : ''}
  return ${value};
}`;
  }
  if (o.vec) return `${head}
  ${k_edge ? 'if (k >= k_end) { return vec4f(); }' : ''}
  return ${o.name}[at * (p.K >> 2u) + (k >> 2u)];
}`;
  return `${head}
  return vec4f(${seq(4).map((e) => `select(0.0, ${o.name}[at * p.K + min(k + ${e}u, p.K - 1u)], k + ${e}u < k_end)`).join(', ')});
}`;
}

/** How the threads share the reading of one operand's tile: steps of one unit (a vec4, or 4 x 4 values) a thread. */
function staging(o: Operand, BK: number, threads: number): { setup: string; declare: string; load: (k: string) => string; sum: string; store: string } {
  const rows = o.k_major ? 1 : 4, across = o.k_major ? o.W / 4 : BK / 4, units = (o.W * BK) / (4 * rows);
  const steps = Math.ceil(units / threads), n = o.name.toLowerCase();
  const guard = (s: number, body: string): string => (units % threads !== 0 && s === steps - 1 ? `if (tid < ${units - s * threads}u) { ${body} }` : body);
  const unit = (s: number): string => (s === 0 ? 'tid' : `(tid + ${s * threads}u)`);
  // c: vec4 column along m (or n); k: step of the tile that the unit starts at.
  const place = (s: number): string => (o.k_major
    ? `let ${n}c${s} = ${unit(s)} % ${across}u; let ${n}k${s} = ${unit(s)} / ${across}u;`
    : `let ${n}c${s} = ${unit(s)} / ${across}u; let ${n}k${s} = ${unit(s)} % ${across}u * 4u;`);
  const where = (s: number, e: number): string => (!o.k_major ? `min(${o.first} + ${n}c${s} * 4u + ${e}u, p.${o.size} - 1u)`
    : o.vec ? `min((${o.first} >> 2u) + ${n}c${s}, (p.${o.size} >> 2u) - 1u)` : `${o.first} + ${n}c${s} * 4u`);
  return {
    setup: lines(steps, (s) => `${place(s)} ${seq(rows).map((e) => `let ${n}at${s}_${e} = ${where(s, e)};`).join(' ')}`),
    declare: lines(steps, (s) => seq(rows).map((e) => `var ${n}${s}_${e} = vec4f();`).join(' ')),
    load: (k) => lines(steps, (s) => guard(s, seq(rows).map((e) => `${n}${s}_${e} = load_${o.name}(${n}at${s}_${e}, ${k} + ${n}k${s}, k_end);`).join(' '))),
    sum: lines(steps, (s) => guard(s, `column_sum += ${n}${s}_0;`)),
    store: lines(steps, (s) => guard(s, o.k_major
      ? `s${o.name}[${n}k${s}][${n}c${s} / ${o.R}u][${n}c${s} % ${o.R}u] = ${n}${s}_0;`
      : seq(4).map((i) => `s${o.name}[${n}k${s} + ${i}u][${n}c${s} / ${o.R}u][${n}c${s} % ${o.R}u] = vec4f(${seq(4).map((e) => `${n}${s}_${e}.${component(i)}`).join(', ')});`).join(' '))),
  };
}

/** All BK steps of a tile. */
function multiply(t: Tile, [a, b]: [Operand, Operand]): string {
  const whole = t.unroll === t.BK, at = (k: number): string => (whole ? `${k}u` : `step + ${k}u`);
  const read = (k: number): string => [a, b].map((o) => seq(o.T / 4).map((c) =>
    `let f${o.name}${c}_${k} = s${o.name}[${at(k)}][${c}u][${o.thread}];`).join(' ')).join(' ');
  const add = (k: number): string => lines(t.TM, (i) => seq(t.TN / 4).map((j) =>
    `c${i}_${j} = fma(vec4f(fA${i >> 2}_${k}.${component(i)}), fB${j}_${k}, c${i}_${j});`).join(' '));
  const body = t.read_ahead ? `${read(0)}\n${lines(t.unroll, (k) => `${k + 1 < t.unroll ? read(k + 1) : ''}\n${add(k)}`)}`
    : lines(t.unroll, (k) => `${read(k)}\n${add(k)}`);
  return whole ? body : `for (var step = 0u; step < ${t.BK}u; step += ${t.unroll}u) {\n${body}\n}`;
}

/** Stores four neighbours of row m from column n on. */
function storeFunction(v: Variant): string {
  if (v.vec_c) return `fn store_C(start: u32, m: u32, n: u32, v: vec4f) {
  if (m < p.M && n < p.N) { finish((start + m * p.N + n) >> 2u, n >> 2u, v); }
}`;
  return `fn store_C(start: u32, m: u32, n: u32, four: vec4f) {
  if (m >= p.M) { return; }
  for (var e = 0u; e < 4u; e++) { if (n + e < p.N) { finish(start + m * p.N + n + e, n + e, four[e]); } }
}`;
}

/**
 * The sums of B's columns. Each thread has added up the four columns that it stages; here the threads of the same four
 * columns are added in order, through B's shared memory. Every row of workgroups would give the same: the first stores.
 */
function columnSums(t: Tile, v: Variant, b: Operand): string {
  const across = t.BN / 4, threads = threadsOf(t), lanes = threads / across, op = v.epilogue.columns === 'add' ? '+=' : '=';
  if (!b.k_major || !Number.isInteger(lanes) || lanes > t.BK) throw new Error(`The tile ${t.name} cannot sum the columns of B.`);
  const place = (lane: string, c: string): string => `sB[${lane}][(${c}) / ${b.R}u][(${c}) % ${b.R}u]`;
  const store = v.vec_c ? `if (n < p.N) { columns[(wg.z * p.N + n) >> 2u] ${op} total; }`
    : `for (var e = 0u; e < 4u; e++) { if (n + e < p.N) { columns[wg.z * p.N + n + e] ${op} total[e]; } }`;
  return `if (wg.y == 0u) {
    ${place(`tid / ${across}u`, `tid % ${across}u`)} = column_sum;
    workgroupBarrier();
    if (tid < ${across}u) {
      var total = ${place('0u', 'tid')};
      for (var lane = 1u; lane < ${lanes}u; lane++) { total += ${place('lane', 'tid')}; }
      let n = n0 + tid * 4u;
      ${store}
    }
  }`;
}

/**
 * Bindings: `slotsOf(epilogue, [A, B])`, uniforms M, N, K, k_per_split. Workgroups (N/BN, M/BM, splits); with more than
 * one split, C (and `columns`) hold `splits` partial results one after another.
 */
export function matmulCode(t: Tile, v: Variant): string {
  const both = operands(t, v), [a, b] = both, threads = threadsOf(t);
  const [stageA, stageB] = [staging(a, t.BK, threads), staging(b, t.BK, threads)];
  const load = (k: string): string => `${stageA.load(k)}\n${stageB.load(k)}`;
  const columns = v.epilogue.columns !== 'none', wide = (name: string): boolean => (name === 'A' ? v.vec_a : name === 'B' ? v.vec_b : v.vec_c);
  return `
struct Params { M: u32, N: u32, K: u32, k_per_split: u32 }
${bindingsCode(slotsOf(v.epilogue, ['A', 'B']), (name) => (wide(name) ? 'vec4f' : 'f32'))}
var<workgroup> sA: array<array<array<vec4f, ${a.R}>, ${a.T / 4}>, ${t.BK}>;
var<workgroup> sB: array<array<array<vec4f, ${b.R}>, ${b.T / 4}>, ${t.BK}>;
${loadFunction(a, v.k_edge)}
${loadFunction(b, v.k_edge)}
${finishCode(v.epilogue, v.vec_c)}
${storeFunction(v)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let tx = tid % ${b.R}u; let ty = tid / ${b.R}u;
  let m0 = wg.y * ${t.BM}u; let n0 = wg.x * ${t.BN}u;
  let k_start = wg.z * p.k_per_split; let k_end = min(k_start + p.k_per_split, p.K);
  let k_last = k_start + (k_end - k_start - 1u) / ${t.BK}u * ${t.BK}u;
  ${stageA.setup}
  ${stageB.setup}
  ${stageA.declare}
  ${stageB.declare}
  ${lines(t.TM, (i) => seq(t.TN / 4).map((j) => `var c${i}_${j} = vec4f();`).join(' '))}
  ${columns ? 'var column_sum = vec4f();' : ''}
  ${load('k_start')}
  for (var k = k_start; k < k_end; k += ${t.BK}u) {
    ${columns ? stageB.sum : ''}
    ${stageA.store}
    ${stageB.store}
    workgroupBarrier();
    let next = min(k + ${t.BK}u, k_last);
    ${load('next')}
    ${multiply(t, both)}
    workgroupBarrier();
  }
  let start = wg.z * p.M * p.N;
  ${lines(t.TM, (i) => `{ let m = m0 + (${(i >> 2) * a.R}u + ty) * 4u + ${i % 4}u; ${seq(t.TN / 4).map((j) => `store_C(start, m, n0 + (${j * b.R}u + tx) * 4u, c${i}_${j});`).join(' ')} }`)}
  ${columns ? columnSums(t, v, b) : ''}
}`;
}

/**
 * Sums the partial results of a split product, in order. Bindings: `slotsOf(epilogue, [partials, column_parts])`, the
 * latter where there are columns; uniforms n (values of a result), splits, N, counted in fours where N is a multiple of four.
 */
export function reduceCode(e: Epilogue, vec: boolean): string {
  const columns = e.columns !== 'none';
  return `
struct Params { n: u32, splits: u32, N: u32 }
${bindingsCode(slotsOf(e, columns ? ['partials', 'column_parts'] : ['partials']), () => (vec ? 'vec4f' : 'f32'))}
${finishCode(e, vec)}
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(num_workgroups) count: vec3u, @builtin(local_invocation_index) tid: u32) {
  let i = (wg.y * count.x + wg.x) * 64u + tid;
  if (i < p.n) {
    var sum = partials[i];
    for (var s = 1u; s < p.splits; s++) { sum += partials[s * p.n + i]; }
    finish(i, i % p.N, sum);
  }${columns ? ` else if (i < p.n + p.N) {
    let j = i - p.n;
    var sum = column_parts[j];
    for (var s = 1u; s < p.splits; s++) { sum += column_parts[s * p.N + j]; }
    columns[j] ${e.columns === 'add' ? '+=' : '='} sum;
  }` : ''}
}`;
}
