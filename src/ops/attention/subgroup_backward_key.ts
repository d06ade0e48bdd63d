/** WGSL of dk and dv by subgroup matrices; `keyCode` is the general version. */
import { unroll } from '../wgsl/index.ts';
import type { Binding } from './declarations.ts';
import {
  type ScoreRegions,
  scoresAndGradients,
  storeFragments,
  takeScores,
} from './subgroup_backward.ts';
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
  ['read', 'qkv', 'vec4u'],
  ['read', 'lse', 'f32'],
  ['read', 'dy', 'vec4u'],
  ['read', 'delta', 'f32'],
];

/** Statistics of the queries in shared memory: offsets in floats. */
interface QueryStatistics {
  logs: number;
  deltas: number;
  /** First rows of their documents, if the kernel has documents. */
  starts: number | null;
}
interface KeyRegions {
  queries: Region;
  dys: Region;
  weights: Region;
  /** Gradients of the scores. */
  scores: Region;
  statistics: QueryStatistics;
  scoreRegions: ScoreRegions;
  /** Shared memory in all. */
  bytes: number;
}
function regionsOf(variant: SubgroupVariant): KeyRegions {
  const { head_dim, shape, documents } = variant;
  const layout = new Layout();
  const rows = rowsOfShape(shape);
  const takeStatistic = (): number => layout.take(4 * shape.columns) / 4;
  const queries = takeFloat16(layout, shape.columns, head_dim);
  const dys = takeFloat16(layout, shape.columns, head_dim);
  const weights = takeFloat16(layout, rows, shape.columns);
  const scores = takeFloat16(layout, rows, shape.columns);
  const statistics: QueryStatistics = {
    logs: takeStatistic(),
    deltas: takeStatistic(),
    starts: documents ? takeStatistic() : null,
  };
  const scoreRegions = takeScores(layout, variant);
  return { queries, dys, weights, scores, statistics, scoreRegions, bytes: layout.bytes };
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
  const rows = rowsOfShape(shape);
  const D = head_dim / 16;
  const N = shape.columns / 16;
  const { queries, dys, weights, scores, statistics, scoreRegions, bytes } = regionsOf(variant);
  const { own, out } = scoreRegions;
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
  return `${head(variant, BINDINGS, bytes)}
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
      ${scoresAndGradients(variant, scoreRegions, { s: ['fk', queries], g: ['fv', dys] })}
      workgroupBarrier();
      ${unroll(2 * N, weightsAndGradients(scoreRegions, statistics, { weights, scores }))}
      workgroupBarrier();
      ${unroll(N, step)}
      workgroupBarrier();
    }
  }
  ${storeFragments(variant, 'dk', out, { first: 'j0', start: 'k0' })}
  ${storeFragments(variant, 'dv', out, { first: 'j0', start: 'v0' })}
}`;
}
