/** WGSL of dq by subgroup matrices; `queryCode` is the general version. */
import { unroll } from '../wgsl/index.ts';
import type { Binding } from './declarations.ts';
import { firstKey } from './masks.ts';
import {
  type ScoreRegions,
  scoresAndGradients,
  storeFragments,
  takeScores,
} from './subgroup_backward.ts';
import { querySees } from './subgroup_forward.ts';
import {
  declareFragments,
  dyRows,
  head,
  keepFragments,
  laneColumns,
  laneValue,
  Layout,
  left,
  multiplyStep,
  putPair,
  qkvRows,
  type Region,
  rowsOfShape,
  stage,
  stageAll,
  type SubgroupVariant,
  takeFloat16,
} from './subgroup_fragments.ts';

const BINDINGS: readonly Binding[] = [
  ['read_write', 'dqkv', 'vec2u'],
  ['read_write', 'delta', 'f32'],
  ['read', 'qkv', 'vec4u'],
  ['read', 'y', 'vec4u'],
  ['read', 'lse', 'f32'],
  ['read', 'dy', 'vec4u'],
];

interface QueryRegions {
  keys: Region;
  values: Region;
  /** Gradients of the scores. */
  scores: Region;
  scoreRegions: ScoreRegions;
  /** Shared memory in all. */
  bytes: number;
}
function regionsOf(variant: SubgroupVariant): QueryRegions {
  const { head_dim, shape } = variant;
  const layout = new Layout();
  const keys = takeFloat16(layout, shape.columns, head_dim);
  const values = takeFloat16(layout, shape.columns, head_dim);
  const scores = takeFloat16(layout, rowsOfShape(shape), shape.columns);
  const scoreRegions = takeScores(layout, variant);
  return { keys, values, scores, scoreRegions, bytes: layout.bytes };
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
  const rows = rowsOfShape(shape);
  const D = head_dim / 16;
  const N = shape.columns / 16;
  const { keys, values, scores, scoreRegions, bytes } = regionsOf(variant);
  const { x, g, own: queries, out } = scoreRegions;
  const scoreGradient = (n: number): string => `{
    let w = select(vec4f(), exp(${laneValue(x, n)} * p.scale - log_sum),
      ${querySees(documents, `j0 + ${laneColumns(n)} + FOUR`)});
    ${putPair(scores, n, `to_halves(w * (${laneValue(g, n)} - row_sum) * p.scale)`)} }`;
  const gradientStep = (k: number): string => `{
      let a = ${left(scores, k)};
      ${multiplyStep('dq', 'a', { region: keys, k, columns: D, transposed: false })}
    }`;
  return `${head(variant, BINDINGS, bytes)}
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
    ${scoresAndGradients(variant, scoreRegions, { s: ['fq', keys], g: ['fd', values] })}
    workgroupBarrier();
    ${unroll(2 * N, scoreGradient)}
    workgroupBarrier();
    ${unroll(N, gradientStep)}
    workgroupBarrier();
  }
  ${storeFragments(variant, 'dq', out, { first: 'i0', start: 'q0' })}
}`;
}
