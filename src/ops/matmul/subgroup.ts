/**
 * Products by subgroup matrices (Chromium's experimental WGSL extension): f16 x f16 added up in
 * f32, on the units that cards have for it. A and B are halves in memory, or float32 and rounded to
 * f16 on their way to shared memory, where a tile keeps memory's own orientation, with eight halves
 * of padding a row (without it, banks collide: 71 against 123 TFLOP/s on an H100). The next tile is
 * read while this one is multiplied. M and N must be multiples of 16, K of 4. For subgroups of 32
 * threads alone.
 */
import { bindingsCode, finishCode, finishReads, loaded, slotsOf } from './epilogue.ts';
import type { Variant } from './generate.ts';
import { type SubgroupTile, threadsOf } from './tile.ts';

const seq = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const lines = (n: number, piece: (i: number) => string): string => seq(n).map(piece).join('\n');
const PAD = 8;

interface Operand {
  name: 'A' | 'B';
  at: number;
  k_major: boolean;
  size: 'M' | 'N';
  first: string;
  within: string;
  rows: number;
  cols: number;
  stride: number;
  edge: boolean;
  half: boolean;
}

function operands(t: SubgroupTile, v: Variant): [Operand, Operand] {
  const shape = (k_major: boolean, W: number) => ({
    k_major,
    rows: k_major ? t.BK : W,
    cols: k_major ? W : t.BK,
    stride: (k_major ? W : t.BK) + PAD,
  });
  const a = shape(v.transpose_a, t.BM);
  const b = shape(!v.transpose_b, t.BN);
  return [
    {
      name: 'A',
      at: 0,
      size: 'M',
      first: 'm0',
      within: 'wm',
      edge: v.m_edge,
      half: v.halves.has('A'),
      ...a,
    },
    {
      name: 'B',
      at: a.rows * a.stride,
      size: 'N',
      first: 'n0',
      within: 'wn',
      edge: v.n_edge,
      half: v.halves.has('B'),
      ...b,
    },
  ];
}

/**
 * Each thread reads vec4 of the tile, BK x W in memory's orientation, and stores them as four
 * halves.
 */
function staging(
  o: Operand,
  t: SubgroupTile,
  k_edge: boolean,
): { setup: string; declare: string; load: (k: string) => string; store: string } {
  const threads = threadsOf(t);
  const across = o.cols / 4;
  const units = o.rows * across;
  const steps = Math.ceil(units / threads);
  const n = o.name.toLowerCase();
  const guard = (s: number, body: string): string =>
    units % threads !== 0 && s === steps - 1
      ? `if (tid < ${units - s * threads}u) { ${body} }`
      : body;
  const even = threads % across === 0;
  const unit = (s: number): string => `(tid + ${s * threads}u)`;
  const quotient = (s: number): string =>
    even ? `tid / ${across}u + ${(s * threads) / across}u` : `${unit(s)} / ${across}u`;
  const remainder = (s: number): string => (even ? `tid % ${across}u` : `${unit(s)} % ${across}u`);
  const clamped = (at: string, size: string): string =>
    o.edge ? `min(${at}, ${size} - 1u)` : `(${at})`;
  // r: row of the tile, c: vec4 within it, at: where it is read.
  const at = (s: number): string =>
    o.k_major
      ? `${n}r${s} * (${o.size} >> 2u) + ${clamped(`(${o.first} >> 2u) + ${n}c${s}`, `(${o.size} >> 2u)`)}`
      : `${clamped(`${o.first} + ${n}r${s}`, o.size)} * (K >> 2u) + ${n}c${s}`;
  const step = (s: number): string => (o.k_major ? `${n}r${s}` : `${n}c${s} * 4u`);
  const empty = o.half ? 'vec2u()' : 'vec4f()';
  const packed = (s: number): string =>
    o.half ? `${n}${s}` : `vec2u(pack2x16float(${n}${s}.xy), pack2x16float(${n}${s}.zw))`;
  return {
    setup: lines(
      steps,
      (s) =>
        `let ${n}r${s} = ${quotient(s)}; let ${n}c${s} = ${remainder(s)}; let ${n}at${s} = ${at(s)};`,
    ),
    declare: lines(steps, (s) => `var ${n}${s} = ${empty};`),
    load: (k) =>
      lines(steps, (s) =>
        guard(
          s,
          `${n}${s} = ${o.name}[${n}at${s} + ${o.k_major ? `${k} * (${o.size} >> 2u)` : `(${k} >> 2u)`}];${k_edge ? ` if (${k} + ${step(s)} >= k_end) { ${n}${s} = ${empty}; }` : ''}`,
        ),
      ),
    store: lines(steps, (s) =>
      guard(
        s,
        `pairs[(${o.at}u + ${n}r${s} * ${o.stride}u + ${n}c${s} * 4u) / 4u] = ${packed(s)};`,
      ),
    ),
  };
}

function multiply(t: SubgroupTile, [a, b]: [Operand, Operand]): string {
  const fragment = (o: Operand, i: number, k: number): string => {
    const type = o.name === 'A' ? 'left' : 'right';
    const offset = o.k_major
      ? `${o.at + k * 16 * o.stride + i * 16}u + ${o.within}`
      : `${o.at + i * 16 * o.stride + k * 16}u + ${o.within} * ${o.stride}u`;
    // A fragment of A is [m][k] and one of B [k][n]: by columns where memory is the other way
    // round.
    const order = (o.name === 'A') === o.k_major ? 'col_major' : 'row_major';
    return `let f${o.name}${i} = subgroupMatrixLoad<subgroup_matrix_${type}<f16, 16, 16>, ${order}>(halves, ${offset}, ${o.stride}u);`;
  };
  const FM = t.WM / 16;
  const FN = t.WN / 16;
  return lines(
    t.BK / 16,
    (k) => `{ ${seq(FM)
      .map((i) => fragment(a, i, k))
      .join(' ')} ${seq(FN)
      .map((j) => fragment(b, j, k))
      .join(' ')}
    ${lines(FM, (i) =>
      seq(FN)
        .map((j) => `c${i}_${j} = subgroupMatrixMultiplyAccumulate(fA${i}, fB${j}, c${i}_${j});`)
        .join(' '),
    )} }`,
  );
}

/**
 * Sixteen rows at a time go through shared memory, from where each thread takes vec4 and finishes
 * them, two at a time in a loop: the accumulators take up to 128 registers of a thread, and more at
 * once would not fit beside them. Padded rows, and vec4 instead of fragments to memory: on an H100
 * a third less time for products with epilogues, and for those without.
 */
function storing(t: SubgroupTile, v: Variant): string {
  const FM = t.WM / 16;
  const FN = t.WN / 16;
  const across = t.WN / 4;
  const stride = t.WN + PAD;
  const units = (16 * across) / 32;
  const step = units % 2 === 0 ? 2 : 1;
  const reads = finishReads(v.epilogue);
  return lines(
    FM,
    (i) => `${seq(FN)
      .map(
        (j) =>
          `subgroupMatrixStore<row_major>(floats, group * ${16 * stride}u + ${j * 16}u, c${i}_${j}, ${stride}u);`,
      )
      .join(' ')}
  workgroupBarrier();
  for (var unit = lane; unit < ${32 * units}u; unit += ${32 * step}u) {
    ${lines(
      step,
      (
        u,
      ) => `let row_${u} = m0 + wm + ${i * 16}u + (unit + ${u * 32}u) / ${across}u; let column_${u} = n0 + wn + (unit + ${u * 32}u) % ${across}u * 4u; let at${u} = (start + row_${u} * N + column_${u}) >> 2u;
    let v${u} = fours[group * ${4 * stride}u + (unit + ${u * 32}u) / ${across}u * ${stride / 4}u + (unit + ${u * 32}u) % ${across}u];
    ${reads.map((r) => `let ${r.name}_${u} = ${loaded(v.halves, r.name, r.at === 'i' ? `at${u}` : `column_${u} >> 2u`)};`).join(' ')}`,
    )}
    ${lines(step, (u) => `if (row_${u} < M && column_${u} < N) { finish(${[`at${u}`, `v${u}`, ...reads.map((r) => `${r.name}_${u}`)].join(', ')}); }`)}
  }
  workgroupBarrier();`,
  );
}

/** Bindings, uniforms and workgroups as those of `matmulCode`; no sums of columns. */
export function subgroupCode(t: SubgroupTile, v: Variant): string {
  if (v.epilogue.columns !== 'none')
    throw new Error('Products by subgroup matrices sum no columns.');
  const both = operands(t, v);
  const [a, b] = both;
  const [stageA, stageB] = [staging(a, t, v.k_edge), staging(b, t, v.k_edge)];
  const across = t.BN / t.WN;
  const load = (k: string): string => `${stageA.load(k)}\n${stageB.load(k)}`;
  // What is finished takes the place of the operands.
  const bytes = Math.max(
    2 * (a.rows * a.stride + b.rows * b.stride),
    (threadsOf(t) / 32) * 16 * (t.WN + PAD) * 4,
  );
  return `enable f16; enable subgroups; enable chromium_experimental_subgroup_matrix;
requires buffer_view;
diagnostic(off, chromium.subgroup_matrix_uniformity);
struct Params { M: u32, N: u32, K: u32, k_per_split: u32 }
${bindingsCode(slotsOf(v.epilogue, ['A', 'B']), v.halves, () => 'vec4f')}
var<workgroup> memory: buffer<${bytes}>;
${finishCode(v.epilogue, true, v.halves)}
@compute @workgroup_size(${threadsOf(t)})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) tid: u32) {
  let M = p.M; let N = p.N; let K = p.K;
  let group = tid >> 5u; let lane = tid & 31u; let wm = group / ${across}u * ${t.WM}u; let wn = group % ${across}u * ${t.WN}u;
  let m0 = wg.y * ${t.BM}u; let n0 = wg.x * ${t.BN}u;
  let k_start = wg.z * p.k_per_split; let k_end = min(k_start + p.k_per_split, K);
  let k_last = k_start + (k_end - k_start - 1u) / ${t.BK}u * ${t.BK}u;
  let pairs = bufferView<array<vec2u, ${bytes / 8}>>(&memory, 0u); let halves = bufferView<array<f16, ${bytes / 2}>>(&memory, 0u);
  let floats = bufferView<array<f32, ${bytes / 4}>>(&memory, 0u); let fours = bufferView<array<vec4f, ${bytes / 16}>>(&memory, 0u);
  ${stageA.setup}
  ${stageB.setup}
  ${stageA.declare}
  ${stageB.declare}
  ${lines(t.WM / 16, (i) =>
    seq(t.WN / 16)
      .map((j) => `var c${i}_${j}: subgroup_matrix_result<f32, 16, 16>;`)
      .join(' '),
  )}
  ${load('k_start')}
  for (var k = k_start; k < k_end; k += ${t.BK}u) {
    ${stageA.store}
    ${stageB.store}
    workgroupBarrier();
    let next = min(k + ${t.BK}u, k_last);
    ${load('next')}
    ${multiply(t, both)}
    workgroupBarrier();
  }
  let start = wg.z * M * N;
  ${storing(t, v)}
}`;
}
