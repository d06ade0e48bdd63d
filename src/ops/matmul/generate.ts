/**
 * Generates the WGSL of C[M, N] = op(A) op(B) for one tile.
 *
 * The operands of a tile lie in shared memory as rows of k, in vec4 along m (or n):
 * [BK][T/4][threads], so that thread r reads its T values of a step as T/4 vec4, and every index
 * but the thread's own is a literal after unrolling (no bounds clamp inside the loop). An operand
 * whose memory is contiguous in k is transposed on its way (`Tile.staging`). The next tile is read
 * from memory into registers while this one is multiplied.
 */
import {
  bindingsCode,
  type Epilogue,
  finishCode,
  finishNow,
  finishReads,
  type Halves,
  loaded,
  slotsOf,
} from './epilogue.ts';
import { type Tile, threadsOf } from './tile.ts';

export interface Variant {
  transpose_a: boolean;
  transpose_b: boolean;
  /** Rows of A, B and C are multiples of four values, and are read and written as vec4. */
  vec_a: boolean;
  vec_b: boolean;
  vec_c: boolean;
  /** M is no multiple of BM, N none of BN, K none of BK. */
  m_edge: boolean;
  n_edge: boolean;
  k_edge: boolean;
  halves: Halves;
  epilogue: Epilogue;
}

const seq = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const lines = (n: number, piece: (i: number) => string): string => seq(n).map(piece).join('\n');
const component = (i: number): string => 'xyzw'.charAt(i % 4);
/** Shared memory of an operand's tile, and of the one after it where a tile has two buffers. */
const shared = (name: 'A' | 'B', buffer: number): string => `s${name}${buffer === 0 ? '' : buffer}`;

/** One operand: A with its rows m, or B with its columns n. */
interface Operand {
  name: 'A' | 'B';
  /** Size of the tile along m or n, values of a thread, threads along it. */
  W: number;
  T: number;
  R: number;
  /**
   * Uniform that holds the whole size along m or n, variable of the tile's first m or n, and of the
   * thread's place.
   */
  size: 'M' | 'N';
  first: string;
  thread: string;
  /** `rows`: memory has k as its slow index, so that four values along m (or n) are neighbours. */
  mode: 'rows' | Tile['staging'];
  vec: boolean;
  /** Stored as halves: four of them are a vec2u. */
  half: boolean;
  edge: boolean;
  /** vec4 of padding at the end of a row of shared memory. */
  pad: number;
}

function operands(t: Tile, v: Variant): [Operand, Operand] {
  const staged = (k_major: boolean): Pick<Operand, 'mode' | 'pad'> => ({
    mode: k_major ? 'rows' : t.staging,
    pad: !k_major && t.staging === 'components' ? 1 : 0,
  });
  return [
    {
      name: 'A',
      W: t.BM,
      T: t.TM,
      R: t.BM / t.TM,
      size: 'M',
      first: 'm0',
      thread: 'ty',
      ...staged(v.transpose_a),
      vec: v.vec_a,
      half: v.halves.has('A'),
      edge: v.m_edge,
    },
    {
      name: 'B',
      W: t.BN,
      T: t.TN,
      R: t.BN / t.TN,
      size: 'N',
      first: 'n0',
      thread: 'tx',
      ...staged(!v.transpose_b),
      vec: v.vec_b,
      half: v.halves.has('B'),
      edge: v.n_edge,
    },
  ];
}

/**
 * How the threads share the reading of one operand's tile: steps of one unit (a vec4, or 4 x 4
 * values) a thread.
 */
function staging(
  o: Operand,
  t: Tile,
  v: Variant,
): {
  setup: string;
  declare: string;
  load: (k: string) => string;
  sum: string;
  store: (buffer: number) => string;
} {
  const threads = threadsOf(t);
  const n = o.name.toLowerCase();
  const rows = o.mode === 'blocks' ? 4 : 1;
  const units = (o.W * t.BK) / (4 * rows);
  const across = o.mode === 'rows' ? o.W / 4 : t.BK / 4;
  const steps = Math.ceil(units / threads);
  const guard = (s: number, body: string): string =>
    units % threads !== 0 && s === steps - 1
      ? `if (tid < ${units - s * threads}u) { ${body} }`
      : body;
  // Where the threads fill whole rows of units, the steps share one remainder and one quotient.
  const unit = (s: number): string => (s === 0 ? 'tid' : `(tid + ${s * threads}u)`);
  const even = threads % across === 0;
  const quotient = (s: number): string =>
    even ? `tid / ${across}u + ${(s * threads) / across}u` : `${unit(s)} / ${across}u`;
  const remainder = (s: number): string => `${even ? 'tid' : unit(s)} % ${across}u`;
  const clamped = (at: string, size: string): string =>
    o.edge ? `min(${at}, ${size} - 1u)` : `(${at})`;
  // c: vec4 column along m or n (row of m or n with `components`); k: step of the tile that the
  // unit starts at; at: where it is read.
  const setup = (s: number): string => {
    if (o.mode === 'rows') {
      const at = o.vec
        ? `${n}k${s} * (${o.size} >> 2u) + ${clamped(`(${o.first} >> 2u) + ${n}c${s}`, `(${o.size} >> 2u)`)}`
        : `${o.first} + ${n}c${s} * 4u`;
      return `let ${n}c${s} = ${remainder(s)}; let ${n}k${s} = ${quotient(s)}; let ${n}at${s}_0 = ${at};`;
    }
    const row = (e: number): string =>
      clamped(
        rows === 4 ? `${o.first} + ${n}c${s} * 4u + ${e}u` : `${o.first} + ${n}c${s}`,
        o.size,
      );
    const ats = seq(rows)
      .map(
        (e) =>
          `let ${n}at${s}_${e} = ${row(e)} * ${o.vec ? `(K >> 2u) + (${n}k${s} >> 2u)` : 'K'};`,
      )
      .join(' ');
    return `let ${n}c${s} = ${quotient(s)}; let ${n}k${s} = ${remainder(s)} * 4u; ${ats}`;
  };
  const value = (s: number, e: number, k: string): string => {
    const at = `${n}at${s}_${e}`;
    const step = `${k} + ${n}k${s}`;
    if (o.vec)
      return `${o.name}[${at} + ${o.mode === 'rows' ? `${k} * (${o.size} >> 2u)` : `(${k} >> 2u)`}]`;
    if (o.mode !== 'rows')
      return `vec4f(${seq(4)
        .map(
          (i) =>
            `select(0.0, ${o.name}[${at} + min(${step} + ${i}u, K - 1u)], ${step} + ${i}u < k_end)`,
        )
        .join(', ')})`;
    return `vec4f(${seq(4)
      .map(
        (i) => `${o.name}[min(${step}, K - 1u) * ${o.size} + min(${at} + ${i}u, ${o.size} - 1u)]`,
      )
      .join(', ')})`;
  };
  // Halves wait in registers as they are where memory is contiguous in k, and unpacked where it is
  // not (on an H100 4 per cent of dW, the other way round 2 of A B^T).
  const early = o.half && o.mode === 'rows';
  const packed = o.half && !early;
  const empty = packed ? 'vec2u()' : 'vec4f()';
  const four = (s: number, e: number): string =>
    packed ? `from_halves(${n}${s}_${e})` : `${n}${s}_${e}`;
  const load = (s: number, e: number, k: string): string =>
    `${n}${s}_${e} = ${early ? `from_halves(${value(s, e, k)})` : value(s, e, k)};` +
    (v.k_edge && (o.vec || o.mode === 'rows')
      ? ` if (${k} + ${n}k${s} >= k_end) { ${n}${s}_${e} = ${empty}; }`
      : '');
  const store = (s: number, buffer: number): string => {
    const place = (k: string, c: string): string =>
      `${shared(o.name, buffer)}[${k}][(${c}) / ${o.R}u][(${c}) % ${o.R}u]`;
    switch (o.mode) {
      case 'rows':
        return `${place(`${n}k${s}`, `${n}c${s}`)} = ${four(s, 0)};`;
      case 'blocks':
        return seq(4)
          .map(
            (i) =>
              `${place(`${n}k${s} + ${i}u`, `${n}c${s}`)} = vec4f(${seq(4)
                .map((e) => `${four(s, e)}.${component(i)}`)
                .join(', ')});`,
          )
          .join(' ');
      case 'components':
        return seq(4)
          .map(
            (i) =>
              `${place(`${n}k${s} + ${i}u`, `${n}c${s} >> 2u`)}[${n}c${s} & 3u] = ${four(s, 0)}.${component(i)};`,
          )
          .join(' ');
      default:
        return o.mode satisfies never;
    }
  };
  return {
    setup: lines(steps, setup),
    declare: lines(steps, (s) =>
      seq(rows)
        .map((e) => `var ${n}${s}_${e} = ${empty};`)
        .join(' '),
    ),
    load: (k) =>
      lines(steps, (s) =>
        guard(
          s,
          seq(rows)
            .map((e) => load(s, e, k))
            .join(' '),
        ),
      ),
    sum: lines(steps, (s) => guard(s, `column_sum += ${four(s, 0)};`)),
    store: (buffer) => lines(steps, (s) => guard(s, store(s, buffer))),
  };
}

/** All BK steps of a tile. */
function multiply(t: Tile, [a, b]: [Operand, Operand], buffer: number): string {
  const whole = t.unroll === t.BK;
  const at = (k: number): string => (whole ? `${k}u` : `step + ${k}u`);
  const read = (k: number): string =>
    [a, b]
      .map((o) =>
        seq(o.T / 4)
          .map(
            (c) =>
              `let f${o.name}${c}_${k} = ${shared(o.name, buffer)}[${at(k)}][${c}u][${o.thread}];`,
          )
          .join(' '),
      )
      .join(' ');
  const add = (k: number): string =>
    lines(t.TM, (i) =>
      seq(t.TN / 4)
        .map(
          (j) =>
            `c${i}_${j} = fma(vec4f(fA${i >> 2}_${k}.${component(i)}), fB${j}_${k}, c${i}_${j});`,
        )
        .join(' '),
    );
  const body = t.read_ahead
    ? `${read(0)}\n${lines(t.unroll, (k) => `${k + 1 < t.unroll ? read(k + 1) : ''}\n${add(k)}`)}`
    : lines(t.unroll, (k) => `${read(k)}\n${add(k)}`);
  return whole ? body : `for (var step = 0u; step < ${t.BK}u; step += ${t.unroll}u) {\n${body}\n}`;
}

/** Rows of a thread whose values from memory are read together before any of them is stored. */
const BATCH = 4;

/** Stores the thread's results. */
function storing(t: Tile, v: Variant, [a, b]: [Operand, Operand]): string {
  const columns = seq(t.TN / 4);
  const n = (j: number): string => `n0 + (${j * b.R}u + tx) * 4u`;
  const row = (i: number): string => `m0 + (${(i >> 2) * a.R}u + ty) * 4u + ${i % 4}u`;
  if (!v.vec_c)
    return lines(
      t.TM,
      (i) =>
        `{ let m = ${row(i)}; if (m < M) { ${columns.map((j) => `for (var e = 0u; e < 4u; e++) { let n = ${n(j)} + e; if (n < N) { let i = start + m * N + n; ${finishNow(v.epilogue, v.halves, 'i', 'n', `c${i}_${j}[e]`)}; } }`).join(' ')} } }`,
    );
  const reads = finishReads(v.epilogue);
  const each = reads.filter((r) => r.at === 'i');
  const edged = (o: Operand, condition: string, body: string): string =>
    o.edge ? `if (${condition}) { ${body} }` : body;
  const once = columns
    .map((j) =>
      [
        `let column_${j} = ${n(j)};`,
        ...reads
          .filter((r) => r.at === 'n')
          .map((r) => `let ${r.name}_${j} = ${loaded(v.halves, r.name, `column_${j} >> 2u`)};`),
      ].join(' '),
    )
    .join('\n');
  const argument = (name: string, at: 'i' | 'n', i: number, j: number): string =>
    at === 'n' ? `${name}_${j}` : `${name}_${i}_${j}`;
  const batch = (first: number): string => {
    const all = seq(Math.min(BATCH, t.TM - first)).map((k) => first + k);
    const read = all
      .map(
        (i) =>
          `let row_${i} = ${row(i)}; ${columns.map((j) => `let at${i}_${j} = (start + row_${i} * N + column_${j}) >> 2u; ${each.map((r) => `let ${r.name}_${i}_${j} = ${loaded(v.halves, r.name, `at${i}_${j}`)};`).join(' ')}`).join(' ')}`,
      )
      .join('\n');
    const store = all
      .map((i) =>
        edged(
          a,
          `row_${i} < M`,
          columns
            .map((j) => {
              const call = `finish(${[`at${i}_${j}`, `c${i}_${j}`, ...reads.map((r) => argument(r.name, r.at, i, j))].join(', ')})`;
              return edged(b, `column_${j} < N`, `${call};`);
            })
            .join(' '),
        ),
      )
      .join('\n');
    return `{\n${read}\n${store}\n}`;
  };
  return `${once}\n${seq(t.TM / BATCH)
    .map((g) => batch(g * BATCH))
    .join('\n')}`;
}

/**
 * The sums of B's columns, by the first row of workgroups: each thread adds up the four columns
 * that it stages, and the threads of the same four are added in order through B's shared memory.
 */
function columnSums(
  t: Tile,
  v: Variant,
  b: Operand,
  staged: string,
): { declare: string; beside_staging: string; store: string } {
  if (v.epilogue.columns === 'none') return { declare: '', beside_staging: '', store: '' };
  const across = t.BN / 4;
  const lanes = threadsOf(t) / across;
  const op = v.epilogue.columns === 'add' ? '+=' : '=';
  const place = (k: string, c: string): string => `sB[${k}][(${c}) / ${b.R}u][(${c}) % ${b.R}u]`;
  if (b.mode !== 'rows' || !Number.isInteger(lanes) || lanes > t.BK)
    throw new Error(`The tile ${t.name} cannot sum the columns of B.`);
  return {
    declare: 'var column_sum = vec4f();',
    beside_staging: `if (wg.y == 0u) { ${staged} }`,
    store: `if (wg.y == 0u) {
    ${place(`tid / ${across}u`, `tid % ${across}u`)} = column_sum;
    workgroupBarrier();
    if (tid < ${across}u) {
      var total = ${place('0u', 'tid')};
      for (var lane = 1u; lane < ${lanes}u; lane++) { total += ${place('lane', 'tid')}; }
      for (var e = 0u; e < 4u; e++) { let n = n0 + tid * 4u + e; if (n < N) { columns[wg.z * N + n] ${op} total[e]; } }
    }
  }`,
  };
}

/** Which of the BM/TM x BN/TN places in the tile a thread has. */
function placeOf(t: Tile, a: Operand, b: Operand): string {
  const lanes = t.lanes ?? b.R;
  if (lanes === b.R) return `let tx = tid % ${b.R}u; let ty = tid / ${b.R}u;`;
  const across = b.R / lanes;
  const rows = 32 / lanes;
  if (!Number.isInteger(across) || !Number.isInteger(a.R / rows))
    throw new Error(`The tile ${t.name} cannot be cut into groups of ${lanes} x ${rows} threads.`);
  return `let lane = tid & 31u; let group = tid >> 5u;
  let tx = group % ${across}u * ${lanes}u + lane % ${lanes}u; let ty = group / ${across}u * ${rows}u + lane / ${lanes}u;`;
}

/**
 * Bindings: `slotsOf(epilogue, [A, B])`, uniforms M, N, K, k_per_split. Workgroups (N/BN, M/BM,
 * splits); with more than one split, C (and `columns`) hold `splits` partial results one after
 * another.
 */
export function matmulCode(t: Tile, v: Variant): string {
  const both = operands(t, v);
  const [a, b] = both;
  const threads = threadsOf(t);
  const [stageA, stageB] = [staging(a, t, v), staging(b, t, v)];
  const sums = columnSums(t, v, b, stageB.sum);
  const load = (k: string): string => `${stageA.load(k)}\n${stageB.load(k)}`;
  // With two buffers the next tile is stored while others still read the last one: one barrier a
  // tile for two.
  const part = (buffer: number): string => `${sums.beside_staging}
    ${stageA.store(buffer)}
    ${stageB.store(buffer)}
    workgroupBarrier();
    let next = min(k + ${(buffer + 1) * t.BK}u, k_last);
    ${load('next')}
    ${multiply(t, both, buffer)}`;
  const wide = (name: string): boolean =>
    name === 'A' ? v.vec_a : name === 'B' ? v.vec_b : name === 'columns' ? false : v.vec_c;
  return `
struct Params { M: u32, N: u32, K: u32, k_per_split: u32 }
${bindingsCode(slotsOf(v.epilogue, ['A', 'B']), v.halves, (name) => (wide(name) ? 'vec4f' : 'f32'))}
${lines(t.buffers ?? 1, (buffer) => both.map((o) => `var<workgroup> ${shared(o.name, buffer)}: array<array<array<vec4f, ${o.R + o.pad}>, ${o.T / 4}>, ${t.BK}>;`).join('\n'))}
${finishCode(v.epilogue, v.vec_c, v.halves)}
@compute @workgroup_size(${threads})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let M = p.M; let N = p.N; let K = p.K;
  ${placeOf(t, a, b)}
  let m0 = wg.y * ${t.BM}u; let n0 = wg.x * ${t.BN}u;
  let k_start = wg.z * p.k_per_split; let k_end = min(k_start + p.k_per_split, K);
  let k_last = k_start + (k_end - k_start - 1u) / ${t.BK}u * ${t.BK}u;
  ${stageA.setup}
  ${stageB.setup}
  ${stageA.declare}
  ${stageB.declare}
  ${lines(t.TM, (i) =>
    seq(t.TN / 4)
      .map((j) => `var c${i}_${j} = vec4f();`)
      .join(' '),
  )}
  ${sums.declare}
  ${load('k_start')}
  ${
    t.buffers === 2
      ? `for (var k = k_start; k < k_end; k += ${2 * t.BK}u) {
    ${part(0)}
    if (k + ${t.BK}u < k_end) {
    ${part(1)}
    }
  }
  ${v.epilogue.columns === 'none' ? '' : 'workgroupBarrier();'}`
      : `for (var k = k_start; k < k_end; k += ${t.BK}u) {
    ${part(0)}
    workgroupBarrier();
  }`
  }
  let start = wg.z * M * N;
  ${storing(t, v, both)}
  ${sums.store}
}`;
}
