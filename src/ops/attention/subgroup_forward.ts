/** WGSL of attention's forward pass by subgroup matrices; `forwardCode` is the general version. */
import { unroll } from '../wgsl/index.ts';
import type { Binding } from './declarations.ts';
import { firstKey } from './masks.ts';
import {
  declareFragments,
  float16At,
  float16Bytes,
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

/** Which of four keys the lane's query attends to, where its query is row i. */
export const querySees = (documents: boolean, keys: string): string =>
  documents
    ? `(seen(vec4u(i), ${keys}) & (vec4u(document_first) <= ${keys}))`
    : `seen(vec4u(i), ${keys})`;

/** Scores in x to weights, with the running maximum and sum of the lane's row. */
function softmaxOfTile(
  { shape, documents }: SubgroupVariant,
  scores: Region,
  weights: Region,
): string {
  const vectors = shape.columns / 8;
  const mask = (n: number): string => `var w${n} = select(vec4f(LOWEST),
      ${laneValue(scores, n)} * p.scale,
      ${querySees(documents, `j0 + ${laneColumns(n)} + FOUR`)});`;
  const weight = (n: number): string => `
    w${n} = select(exp(w${n} - most), vec4f(), w${n} <= vec4f(LOWEST));
    ${putPair(weights, n, `vec2u(pack2x16float(w${n}.xy), pack2x16float(w${n}.zw))`)}`;
  return `${unroll(vectors, mask)}
    var four = w0;
    ${unroll(vectors - 1, (n) => `four = max(four, w${n + 1});`)}
    var most = max(max(four.x, four.y), max(four.z, four.w));
    most = max(top, max(most, subgroupShuffleXor(most, 1u)));
    let shrink = exp(top - most);
    top = most;
    // If all keys so far are masked, the maximum is LOWEST, and exp(0) must not count.
    ${unroll(vectors, weight)}
    four = w0;
    ${unroll(vectors - 1, (n) => `four += w${n + 1};`)}
    total = total * shrink + (four.x + four.y) + (four.z + four.w);`;
}

const BINDINGS: readonly Binding[] = [
  ['read_write', 'y', 'vec2u'],
  ['read_write', 'lse', 'f32'],
  ['read', 'qkv', 'vec4u'],
];

interface ForwardRegions {
  keys: Region;
  values: Region;
  /** Scores, then outputs. */
  x: Region;
  /** Overwrites the keys, which are not read again. */
  weights: Region;
  /** Overwritten by the scores, once the queries are in registers. */
  queries: Region;
  /** Shared memory in all. */
  bytes: number;
}
function regionsOf({ head_dim, shape }: SubgroupVariant): ForwardRegions {
  const layout = new Layout();
  const rows = rowsOfShape(shape);
  const weightBytes = float16Bytes(rows, shape.columns);
  const keys = takeFloat16(layout, shape.columns, head_dim, weightBytes);
  const values = takeFloat16(layout, shape.columns, head_dim);
  const x = takeFloat32(layout, rows, Math.max(shape.columns, head_dim));
  const weights = float16At(keys, shape.columns);
  const queries = float16At({ ...x, offset: 2 * x.offset }, head_dim);
  return { keys, values, x, weights, queries, bytes: layout.bytes };
}

/** y and lse of qkv. */
export function forwardSubgroupCode(variant: SubgroupVariant): string {
  const { head_dim, shape, documents } = variant;
  const rows = rowsOfShape(shape);
  const D = head_dim / 16;
  const N = shape.columns / 16;
  const { keys, values, x, weights, queries, bytes } = regionsOf(variant);
  const scoreStep = (k: number): string =>
    multiplyStep('s', `fq${k}`, { region: keys, k, columns: N, transposed: true });
  const valueStep = (k: number): string => `{
      let a = ${left(weights, k)};
      ${multiplyStep('o', 'a', { region: values, k, columns: D, transposed: false })}
    }`;
  const writeY = (c: number): string =>
    `y[((b * p.T + i) * y_width + q0 + ${laneColumns(c)}) / 4u] = to_halves(y${c} / total);`;
  return `${head(variant, BINDINGS, bytes)}
  let h = wg.y; let q0 = h * HD; let k0 = y_width + h / heads * HD; let v0 = k0 + p.n_kv_head * HD;
  // The last queries see the most keys, so they start first.
  let i0 = (count.x - 1u - wg.x) * ${rows}u; let i = i0 + row;
  ${documents ? 'let document_first = document_start(b, i);' : ''}
  ${stageAll(stage(variant, queries, rows, qkvRows('i0', 'q0')))}
  workgroupBarrier();
  ${keepFragments('fq', queries, head_dim)}
  workgroupBarrier();
  var top = LOWEST; var total = 0.0;
  ${unroll(2 * D, (c) => `var y${c} = vec4f();`)}
  let first = ${firstKey(documents, shape.columns)};
  for (var j0 = first; j0 < min(i0 + ${rows}u, p.T); j0 += ${shape.columns}u) {
    ${stageAll(
      stage(variant, keys, shape.columns, qkvRows('j0', 'k0')),
      stage(variant, values, shape.columns, qkvRows('j0', 'v0')),
    )}
    workgroupBarrier();
    { ${declareFragments('s', N)}
    ${unroll(D, scoreStep)}
    ${putFragments('s', N, x)} }
    workgroupBarrier();
    ${softmaxOfTile(variant, x, weights)}
    workgroupBarrier();
    { ${declareFragments('o', D)}
    ${unroll(N, valueStep)}
    ${putFragments('o', D, x)} }
    workgroupBarrier();
    ${unroll(2 * D, (c) => `y${c} = y${c} * shrink + ${laneValue(x, c)};`)}
  }
  total += subgroupShuffleXor(total, 1u);
  if (i < p.T) {
    ${unroll(2 * D, writeY)}
    if (side == 0u) { lse[(b * p.n_head + h) * p.T + i] = top + log(total); }
  }
}`;
}
