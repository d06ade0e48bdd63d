/** Tiles and splits that the search tries for a product. */
import { COLUMN_SUMS, type ColumnSums, type Plan, planOf } from '../src/ops/matmul/plan.ts';
import { subgroupsFit } from '../src/ops/matmul/subgroup_plan.ts';
import {
  type AnyTile,
  isSubgroupTile,
  type SubgroupTile,
  type Tile,
} from '../src/ops/matmul/tile.ts';
import type { Product } from './products.ts';

export interface Candidate {
  name: string;
  plan: Plan;
}

const tile = (BM: number, BN: number, TM: number, TN: number, more: Partial<Tile> = {}): Tile => {
  const t: Tile = {
    name: '',
    BM,
    BN,
    BK: 16,
    TM,
    TN,
    unroll: 16,
    read_ahead: true,
    staging: 'components',
    ...more,
  };
  return {
    ...t,
    name: `${BM}x${BN}x${t.BK} ${TM}x${TN} ${t.staging}${t.lanes ? ` lanes ${t.lanes}` : ''}${t.read_ahead ? ' ahead' : ''}${t.unroll === t.BK ? '' : ` unroll ${t.unroll}`}`,
  };
};

const TILES: readonly Tile[] = [
  tile(96, 128, 12, 8),
  tile(96, 128, 12, 8, { lanes: 8 }),
  tile(96, 128, 12, 8, { staging: 'blocks' }),
  tile(96, 128, 12, 8, { staging: 'blocks', lanes: 8 }),
  tile(96, 128, 12, 8, { lanes: 8, read_ahead: false }),
  tile(128, 96, 8, 12, { lanes: 8 }),
  tile(128, 128, 8, 8, { lanes: 8, read_ahead: false }),
  tile(128, 128, 8, 8, { lanes: 8 }),
  tile(64, 128, 8, 8, { lanes: 8 }),
  tile(64, 128, 8, 8, { lanes: 8, staging: 'blocks' }),
  tile(128, 64, 8, 8, { lanes: 8 }),
  tile(96, 96, 12, 8),
  tile(96, 64, 12, 4, { lanes: 8 }),
  tile(64, 96, 8, 12),
  tile(64, 64, 8, 4, { lanes: 8 }),
  tile(64, 64, 4, 4, { read_ahead: false }),
  tile(64, 64, 4, 4, { read_ahead: false, staging: 'blocks' }),
  tile(64, 64, 8, 8),
  tile(64, 64, 8, 4, { lanes: 8, read_ahead: false, staging: 'blocks' }),
  tile(32, 64, 4, 4, { lanes: 8, read_ahead: false }),
  tile(32, 32, 4, 4, { read_ahead: false }),
  tile(32, 32, 4, 4, { read_ahead: false, BK: 32, unroll: 32 }),
  tile(32, 32, 4, 4, { read_ahead: false, unroll: 4, staging: 'blocks' }),
];

const subgroup = (BM: number, BN: number, WM: number, WN: number, BK = 32): SubgroupTile => ({
  name: `subgroups ${BM}x${BN}x${BK} ${WM}x${WN}`,
  BM,
  BN,
  BK,
  WM,
  WN,
});
const SUBGROUP_TILES: readonly SubgroupTile[] = [
  subgroup(128, 128, 64, 64),
  subgroup(64, 128, 64, 64),
  subgroup(128, 64, 64, 64),
  subgroup(64, 128, 32, 64),
  subgroup(128, 128, 32, 64),
  subgroup(64, 64, 32, 32),
  subgroup(64, 64, 32, 64),
  subgroup(64, 64, 32, 32, 64),
  subgroup(32, 32, 16, 32),
];

/** Workgroups that splits aim at: one to six a multiprocessor of the large card. */
const GROUPS = [132, 264, 396, 528, 792];

/**
 * Every tile that is not far too large or too small for the product, whole and split; with sums of
 * columns, in each way of making them.
 */
export function candidatesOf(p: Product, subgroups: boolean): Candidate[] {
  const outputs = p.M * p.N;
  const small = outputs <= 2 ** 21 && p.K <= 1024;
  const fits = (t: AnyTile): boolean =>
    t.BM <= 2 * p.M &&
    t.BN <= 2 * p.N &&
    (t.BM * t.BN >= 4096 || outputs <= 2 ** 22) &&
    (small || t.BM * t.BN > 1024);
  // Where both operands lie in rows of k, the ways of staging are one.
  const forms = p.form === 'tn' ? TILES.filter((t) => t.staging === 'components') : TILES;
  const all: AnyTile[] = [...forms, ...(subgroups && subgroupsFit(p) ? SUBGROUP_TILES : [])];
  return all.filter(fits).flatMap((t) =>
    partsOf(t, p).flatMap((parts) =>
      waysOf(p)
        .filter((way, _i, ways) => !isSubgroupTile(t) || way === ways.at(-1))
        .map((columns): Candidate => {
          const plan = planOf(t, p, parts, columns);
          return {
            name: `${t.name} split ${plan.splits}${p.finish.columns ? ` columns ${columns}` : ''}`,
            plan,
          };
        }),
    ),
  );
}

const waysOf = (p: Product): readonly ColumnSums[] => (p.finish.columns ? COLUMN_SUMS : ['staged']);

function partsOf(t: AnyTile, p: Product): number[] {
  const groups = Math.ceil(p.M / t.BM) * Math.ceil(p.N / t.BN);
  const most = Math.min(Math.floor(p.K / 64), Math.floor(2 ** 24 / (p.M * p.N)), 64);
  return [
    ...new Set([
      1,
      ...GROUPS.map((g) => Math.floor(g / groups)).filter((parts) => parts > 1 && parts <= most),
    ]),
  ].filter((parts) => parts * groups >= 24 || parts === most || parts === 1);
}
