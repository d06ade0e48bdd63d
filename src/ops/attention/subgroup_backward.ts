/** What both kernels of attention's gradient by subgroup matrices share. */
import { unroll } from '../wgsl/index.ts';
import {
  declareFragments,
  float16At,
  laneColumns,
  laneValue,
  type Layout,
  multiplyStep,
  putFragments,
  type Region,
  rowsOfShape,
  type SubgroupVariant,
  takeFloat32,
} from './subgroup_fragments.ts';

/** Columns of results that a workgroup writes at a time. */
const STORED = 64;

/**
 * Writes the fragments NAME0, ... of all rows to head_dim columns of dqkv, 64 at a time through a
 * float32 region.
 */
export function storeFragments(
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
export interface ScoreRegions {
  /** Scores and the gradients of weights. */
  x: Region;
  g: Region;
  /** The workgroup's own rows, before the walk. */
  own: Region;
  /** Results, after the walk. */
  out: Region;
}
export function takeScores(layout: Layout, { head_dim, shape }: SubgroupVariant): ScoreRegions {
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
export function scoresAndGradients(
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
