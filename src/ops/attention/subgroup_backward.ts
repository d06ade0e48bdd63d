/**
 * WGSL of attention's gradient by subgroup matrices; `queryCode` and `keyCode` are the general
 * versions.
 */
import { unroll } from '../wgsl/index.ts';
import { firstKey } from './masks.ts';
import { querySees } from './subgroup_forward.ts';
import {
  declareFragments,
  dyRows,
  float16At,
  head,
  keepFragments,
  laneColumns,
  laneValue,
  Layout,
  left,
  multiplyStep,
  putFragments,
  putPair,
  qkvRows,
  type Region,
  rowsOfShape,
  stage,
  stageAll,
  type SubgroupVariant,
  takeFloat16,
  takeFloat32,
} from './subgroup_fragments.ts';

/** Columns of results that a workgroup writes at a time. */
const STORED = 64;

/**
 * Writes the fragments NAME0, ... of all rows to head_dim columns of dqkv, 64 at a time through a
 * float32 region.
 */
function storeFragments(
  { head_dim }: SubgroupVariant,
  name: string,
  region: Region,
  { first, start }: { first: string; start: string },
): string {
  const D = head_dim / 16;
  return unroll(Math.ceil(D / 4), (part) => {
    const n = Math.min(4, D - 4 * part);
    const write = (c: number): string => `dqkv[((b * p.T + ${first} + row) * width + ${start}
      + ${STORED * part}u + ${laneColumns(c)}) / 4u] = to_halves(${laneValue(region, c)});`;
    return `workgroupBarrier();
  ${putFragments(name, n, region, 4 * part)}
  workgroupBarrier();
  if (${first} + row < p.T) { ${unroll(2 * n, write)} }`;
  });
}

/** Regions that share memory at different times. */
interface ScoreRegions {
  /** Scores and the gradients of weights. */
  x: Region;
  g: Region;
  /** The workgroup's own rows, before the walk. */
  own: Region;
  /** Results, after the walk. */
  out: Region;
}
function takeScores(layout: Layout, { head_dim, shape }: SubgroupVariant): ScoreRegions {
  const rows = rowsOfShape(shape);
  const before = layout.bytes;
  const x = takeFloat32(layout, rows, shape.columns);
  const g = takeFloat32(layout, rows, shape.columns);
  const own = float16At({ ...x, offset: 2 * x.offset }, head_dim);
  const out = float16At(x, STORED);
  layout.atLeast(before, Math.max(4 * rows * out.stride, 2 * rows * own.stride));
  return { x, g, own, out };
}

/** Computes scores s and weight gradients g from left operands that stay in registers. */
function scoresAndGradients(
  { head_dim, shape }: SubgroupVariant,
  { x, g }: ScoreRegions,
  operands: { s: readonly [string, Region]; g: readonly [string, Region] },
): string {
  const N = shape.columns / 16;
  const step = (to: 's' | 'g', k: number): string => {
    const [name, region] = operands[to];
    return multiplyStep(to, `${name}${k}`, { region, k, columns: N, transposed: true });
  };
  return `{ ${declareFragments('s', N)} ${declareFragments('g', N)}
    ${unroll(head_dim / 16, (k) => `${step('s', k)}\n${step('g', k)}`)}
    ${putFragments('s', N, x)}
    ${putFragments('g', N, g)} }`;
}

/** delta of the lane's row, in row_sum and in memory. */
const deltaOfRow = (D: number): string => {
  const add = (c: number): string => `{
    let u = y[start + ${2 * c}u]; let v = dy[start + ${2 * c}u];
    row_sum += product_of(u.xy, v.xy) + product_of(u.zw, v.zw);
  }`;
  return `var row_sum = 0.0;
  { let start = ((b * p.T + min(i, p.T - 1u)) * y_width + q0) / 8u + side;
  ${unroll(D, add)} }
  row_sum += subgroupShuffleXor(row_sum, 1u);
  if (side == 0u && i < p.T) { delta[at] = row_sum; }`;
};

/** dq, and delta (the row sums of dy y). */
export function querySubgroupCode(variant: SubgroupVariant): string {
  const { head_dim, shape, documents } = variant;
  const layout = new Layout();
  const rows = rowsOfShape(shape);
  const D = head_dim / 16;
  const N = shape.columns / 16;
  const keys = takeFloat16(layout, shape.columns, head_dim);
  const values = takeFloat16(layout, shape.columns, head_dim);
  const scores = takeFloat16(layout, rows, shape.columns);
  const regions = takeScores(layout, variant);
  const { x, g, own: queries, out } = regions;
  const scoreGradient = (n: number): string => `{
    let w = select(vec4f(), exp(${laneValue(x, n)} * p.scale - log_sum),
      ${querySees(documents, `j0 + ${laneColumns(n)} + FOUR`)});
    ${putPair(scores, n, `to_halves(w * (${laneValue(g, n)} - row_sum) * p.scale)`)} }`;
  const gradientStep = (k: number): string => `{
      let a = ${left(scores, k)};
      ${multiplyStep('dq', 'a', { region: keys, k, columns: D, transposed: false })}
    }`;
  const source = head(
    variant,
    [
      ['read_write', 'dqkv', 'vec2u'],
      ['read_write', 'delta', 'f32'],
      ['read', 'qkv', 'vec4u'],
      ['read', 'y', 'vec4u'],
      ['read', 'lse', 'f32'],
      ['read', 'dy', 'vec4u'],
    ],
    layout.bytes,
  );
  return `${source}
  let h = wg.y; let q0 = h * HD; let k0 = y_width + h / heads * HD; let v0 = k0 + p.n_kv_head * HD;
  let i0 = (count.x - 1u - wg.x) * ${rows}u; let i = i0 + row;
  let at = (b * p.n_head + h) * p.T + min(i, p.T - 1u);
  let log_sum = lse[at];
  ${documents ? 'let document_first = document_start(b, i);' : ''}
  ${stageAll(stage(variant, queries, rows, qkvRows('i0', 'q0')))}
  ${deltaOfRow(D)}
  workgroupBarrier();
  ${keepFragments('fq', queries, head_dim)}
  workgroupBarrier();
  ${stageAll(stage(variant, queries, rows, dyRows('i0')))}
  workgroupBarrier();
  ${keepFragments('fd', queries, head_dim)}
  ${declareFragments('dq', D)}
  let first = ${firstKey(documents, shape.columns)};
  for (var j0 = first; j0 < min(i0 + ${rows}u, p.T); j0 += ${shape.columns}u) {
    ${stageAll(
      stage(variant, keys, shape.columns, qkvRows('j0', 'k0')),
      stage(variant, values, shape.columns, qkvRows('j0', 'v0')),
    )}
    workgroupBarrier();
    ${scoresAndGradients(variant, regions, { s: ['fq', keys], g: ['fd', values] })}
    workgroupBarrier();
    ${unroll(2 * N, scoreGradient)}
    workgroupBarrier();
    ${unroll(N, gradientStep)}
    workgroupBarrier();
  }
  ${storeFragments(variant, 'dq', out, { first: 'i0', start: 'q0' })}
}`;
}

/** Statistics of the queries in shared memory: offsets in floats. */
interface QueryStatistics {
  logs: number;
  deltas: number;
  /** First rows of their documents, if the kernel has documents. */
  starts: number | null;
}
const perColumn = (offset: number, n: number): string => `fours[${offset / 4 + 2 * n}u + side]`;

const stageStatistics = (columns: number, { logs, deltas, starts }: QueryStatistics): string => {
  const stageStart = `floats[${starts}u + tid] = f32(document_start(b, i0 + tid));`;
  return `if (tid < ${columns}u) {
        let at = stats + min(i0 + tid, p.T - 1u);
        let log_sum = lse[at]; let row_sum = delta[at];
        floats[${logs}u + tid] = log_sum; floats[${deltas}u + tid] = row_sum;
        ${starts === null ? '' : stageStart}
      }`;
};

/** Weights and score gradients of four queries and the lane's key j. */
const weightsAndGradients =
  (
    { x, g }: ScoreRegions,
    { logs, deltas, starts }: QueryStatistics,
    { weights, scores }: { weights: Region; scores: Region },
  ) =>
  (n: number): string => {
    const seen = `seen(i0 + ${laneColumns(n)} + FOUR, vec4u(j))`;
    const visible =
      starts === null ? seen : `(${seen} & (${perColumn(starts, n)} <= vec4f(f32(j))))`;
    const gradient = `to_halves(w * (${laneValue(g, n)} - ${perColumn(deltas, n)}) * p.scale)`;
    return `{
      let w = select(vec4f(), exp(${laneValue(x, n)} * p.scale - ${perColumn(logs, n)}),
        ${visible});
      ${putPair(weights, n, 'vec2u(pack2x16float(w.xy), pack2x16float(w.zw))')}
      ${putPair(scores, n, gradient)} }`;
  };

/** dk and dv: rows of scores are keys, columns queries. */
export function keySubgroupCode(variant: SubgroupVariant): string {
  const { head_dim, shape, documents } = variant;
  const layout = new Layout();
  const rows = rowsOfShape(shape);
  const D = head_dim / 16;
  const N = shape.columns / 16;
  const queries = takeFloat16(layout, shape.columns, head_dim);
  const dys = takeFloat16(layout, shape.columns, head_dim);
  const weights = takeFloat16(layout, rows, shape.columns);
  const scores = takeFloat16(layout, rows, shape.columns);
  const statistics: QueryStatistics = {
    logs: layout.take(4 * shape.columns) / 4,
    deltas: layout.take(4 * shape.columns) / 4,
    starts: documents ? layout.take(4 * shape.columns) / 4 : null,
  };
  const regions = takeScores(layout, variant);
  const { own, out } = regions;
  // Document starts never decrease: beyond a query of a later document no query sees these keys.
  const inDocument = documents ? ` && document_start(b, i0) < j0 + ${rows}u` : '';
  const step = (k: number): string => `{
        let a = ${left(weights, k)};
        ${multiplyStep('dv', 'a', { region: dys, k, columns: D, transposed: false })}
      }
      {
        let a = ${left(scores, k)};
        ${multiplyStep('dk', 'a', { region: queries, k, columns: D, transposed: false })}
      }`;
  const source = head(
    variant,
    [
      ['read_write', 'dqkv', 'vec2u'],
      ['read', 'qkv', 'vec4u'],
      ['read', 'lse', 'f32'],
      ['read', 'dy', 'vec4u'],
      ['read', 'delta', 'f32'],
    ],
    layout.bytes,
  );
  return `${source}
  let kv = wg.y; let k0 = y_width + kv * HD; let v0 = k0 + p.n_kv_head * HD;
  // The first keys are seen by the most queries, so they start first.
  let j0 = wg.x * ${rows}u; let j = j0 + row;
  ${stageAll(stage(variant, own, rows, qkvRows('j0', 'k0')))}
  workgroupBarrier();
  ${keepFragments('fk', own, head_dim)}
  workgroupBarrier();
  ${stageAll(stage(variant, own, rows, qkvRows('j0', 'v0')))}
  workgroupBarrier();
  ${keepFragments('fv', own, head_dim)}
  ${declareFragments('dk', D)}
  ${declareFragments('dv', D)}
  let end = select(p.T, min(p.T, j0 + ${rows - 1}u + p.window), p.window > 0u);
  for (var h = kv * heads; h < (kv + 1u) * heads; h++) {
    let q0 = h * HD; let stats = (b * p.n_head + h) * p.T;
    for (var i0 = j0; i0 < end${inDocument}; i0 += ${shape.columns}u) {
      ${stageAll(
        stage(variant, queries, shape.columns, qkvRows('i0', 'q0')),
        stage(variant, dys, shape.columns, dyRows('i0')),
      )}
      ${stageStatistics(shape.columns, statistics)}
      workgroupBarrier();
      ${scoresAndGradients(variant, regions, { s: ['fk', queries], g: ['fv', dys] })}
      workgroupBarrier();
      ${unroll(2 * N, weightsAndGradients(regions, statistics, { weights, scores }))}
      workgroupBarrier();
      ${unroll(N, step)}
      workgroupBarrier();
    }
  }
  ${storeFragments(variant, 'dk', out, { first: 'j0', start: 'k0' })}
  ${storeFragments(variant, 'dv', out, { first: 'j0', start: 'v0' })}
}`;
}
