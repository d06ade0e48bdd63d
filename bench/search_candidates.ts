/** Tiles and splits of K that the search tries for a matmul. */
import {
  COLUMN_SUMS,
  type ColumnSums,
  groupsOf,
  MAX_PARTIALS,
  type Plan,
  planOf,
} from '../src/ops/matmul/plan.ts';
import { subgroupsFit } from '../src/ops/matmul/subgroup_plan.ts';
import {
  type AnyTile,
  isSubgroupTile,
  type SubgroupTile,
  type Tile,
} from '../src/ops/matmul/tile.ts';
import type { StepMatmul } from './matmuls.ts';

export interface Candidate {
  name: string;
  plan: Plan;
}

/** A tile named by its parameters. */
function tile(
  [BM, BN]: readonly [BM: number, BN: number],
  [TM, TN]: readonly [TM: number, TN: number],
  options: Partial<Tile> = {},
): Tile {
  const made: Tile = {
    name: '',
    BM,
    BN,
    BK: 16,
    TM,
    TN,
    unroll: 16,
    read_ahead: true,
    staging: 'components',
    ...options,
  };
  const words = [`${BM}x${BN}x${made.BK}`, `${TM}x${TN}`, made.staging];
  if (made.lanes) words.push(`lanes ${made.lanes}`);
  if (made.read_ahead) words.push('ahead');
  if (made.unroll !== made.BK) words.push(`unroll ${made.unroll}`);
  return { ...made, name: words.join(' ') };
}

const TILES: readonly Tile[] = [
  tile([96, 128], [12, 8]),
  tile([96, 128], [12, 8], { lanes: 8 }),
  tile([96, 128], [12, 8], { staging: 'blocks' }),
  tile([96, 128], [12, 8], { staging: 'blocks', lanes: 8 }),
  tile([96, 128], [12, 8], { lanes: 8, read_ahead: false }),
  tile([128, 96], [8, 12], { lanes: 8 }),
  tile([128, 128], [8, 8], { lanes: 8, read_ahead: false }),
  tile([128, 128], [8, 8], { lanes: 8 }),
  tile([64, 128], [8, 8], { lanes: 8 }),
  tile([64, 128], [8, 8], { lanes: 8, staging: 'blocks' }),
  tile([128, 64], [8, 8], { lanes: 8 }),
  tile([96, 96], [12, 8]),
  tile([96, 64], [12, 4], { lanes: 8 }),
  tile([64, 96], [8, 12]),
  tile([64, 64], [8, 4], { lanes: 8 }),
  tile([64, 64], [4, 4], { read_ahead: false }),
  tile([64, 64], [4, 4], { read_ahead: false, staging: 'blocks' }),
  tile([64, 64], [8, 8]),
  tile([64, 64], [8, 4], { lanes: 8, read_ahead: false, staging: 'blocks' }),
  tile([32, 64], [4, 4], { lanes: 8, read_ahead: false }),
  tile([32, 32], [4, 4], { read_ahead: false }),
  tile([32, 32], [4, 4], { read_ahead: false, BK: 32, unroll: 32 }),
  tile([32, 32], [4, 4], { read_ahead: false, unroll: 4, staging: 'blocks' }),
];

function subgroup(
  [BM, BN]: readonly [BM: number, BN: number],
  [WM, WN]: readonly [WM: number, WN: number],
  BK = 32,
): SubgroupTile {
  return { name: `subgroups ${BM}x${BN}x${BK} ${WM}x${WN}`, BM, BN, BK, WM, WN };
}

const SUBGROUP_TILES: readonly SubgroupTile[] = [
  subgroup([128, 128], [64, 64]),
  subgroup([64, 128], [64, 64]),
  subgroup([128, 64], [64, 64]),
  subgroup([64, 128], [32, 64]),
  subgroup([128, 128], [32, 64]),
  subgroup([64, 64], [32, 32]),
  subgroup([64, 64], [32, 64]),
  subgroup([64, 64], [32, 32], 64),
  subgroup([32, 32], [16, 32]),
];

/** Numbers of workgroups that splits aim at: one to six per multiprocessor of an H100. */
const GROUPS = [132, 264, 396, 528, 792];
const MAX_PARTS = 64;
/** The smallest part of K. */
const MIN_K = 64;
/** Splits into fewer workgroups than this are not tried. */
const MIN_GROUPS = 24;

/**
 * Every tile that is neither far too large nor far too small for the matmul, whole and split. If
 * columns are summed, with each way to sum them that the tile has.
 */
export function candidatesOf(matmul: StepMatmul, subgroups: boolean): Candidate[] {
  return tilesOf(matmul, subgroups)
    .filter((one) => fits(one, matmul))
    .flatMap((one) => partsOf(one, matmul).flatMap((parts) => plansOf(one, matmul, parts)));
}

function tilesOf(matmul: StepMatmul, subgroups: boolean): AnyTile[] {
  // If both operands are stored by rows of k, all ways of staging are the same.
  const tiles: AnyTile[] =
    matmul.form === 'tn' ? TILES.filter(({ staging }) => staging === 'components') : [...TILES];
  if (subgroups && subgroupsFit(matmul)) tiles.push(...SUBGROUP_TILES);
  return tiles;
}

function fits({ BM, BN }: AnyTile, { M, N, K }: StepMatmul): boolean {
  const outputs = M * N;
  const small = outputs <= 2 ** 21 && K <= 1024;
  if (BM > 2 * M || BN > 2 * N) return false;
  if (BM * BN < 4096 && outputs > 2 ** 22) return false;
  return small || BM * BN > 1024;
}

function plansOf(one: AnyTile, matmul: StepMatmul, parts: number): Candidate[] {
  const { columns: summed } = matmul.epilogue;
  return columnSumsOf(one, matmul).map((columns) => {
    const plan = planOf(one, matmul, parts, columns);
    const name = `${one.name} split ${plan.splits}`;
    return { name: summed ? `${name} columns ${columns}` : name, plan };
  });
}

/** Subgroup tiles can only sum columns by separate kernels. */
function columnSumsOf(one: AnyTile, { epilogue }: StepMatmul): readonly ColumnSums[] {
  if (!epilogue.columns) return ['staged'];
  return isSubgroupTile(one) ? ['separate'] : COLUMN_SUMS;
}

function partsOf(one: AnyTile, { M, N, K }: StepMatmul): number[] {
  const groups = groupsOf(one, { M, N, K });
  const most = Math.min(Math.floor(K / MIN_K), Math.floor(MAX_PARTIALS / (M * N)), MAX_PARTS);
  const split = GROUPS.map((target) => Math.floor(target / groups)).filter(
    (parts) => parts > 1 && parts <= most,
  );
  return [...new Set([1, ...split])].filter(
    (parts) => parts * groups >= MIN_GROUPS || parts === most || parts === 1,
  );
}
