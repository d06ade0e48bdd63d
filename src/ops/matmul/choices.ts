/**
 * What this device may use, and which plan each product takes on it: what the tuner found best for
 * its shape, or what `pickTile` says. What is chosen changes the order in which numbers are added,
 * so the choices are set before a run compiles its first program and stay for its life.
 */
import { deviceClass } from '../../backend/index.ts';
import {
  type ColumnSums,
  type DeviceClass,
  type Plan,
  pickSubgroupTile,
  pickTestedTile,
  pickTile,
  planOf,
  subgroupsFit,
  tileNamed,
  type Wanted,
} from './tile.ts';

export type { Wanted } from './tile.ts';
export interface Choice {
  tile: string;
  splits: number;
  columns: ColumnSums;
}
/** By `keyOf` a product. */
export type Choices = Readonly<Record<string, Choice>>;

export const keyOf = (w: Wanted): string =>
  `${w.transpose_a ? 't' : 'n'}${w.transpose_b ? 't' : 'n'} ${w.M}x${w.N}x${w.K}${w.columns ? ' columns' : ''}`;

let chosen: Choices = {};
let components = false;
let subgroups = false;
let attention = false;
const seen = new Map<string, Wanted>();

/** What a device was tested for, and a run may use. */
export interface Abilities {
  /** Tiles that stage by components. */
  component_stores: boolean;
  /**
   * Subgroup matrices, for products with an operand that is stored in halves: both are rounded to
   * f16.
   */
  subgroup_matrices: boolean;
  /** The same for attention of which everything is stored in halves. */
  subgroup_attention?: boolean;
}

/** From now on products are planned so. */
export function setChoices(
  choices: Choices,
  able: Abilities = { component_stores: false, subgroup_matrices: false },
): void {
  chosen = choices;
  components = able.component_stores;
  subgroups = able.subgroup_matrices;
  attention = able.subgroup_attention ?? false;
  seen.clear();
}

/** Products that were planned since `setChoices`: what there is to tune. */
export const seenProducts = (): Wanted[] => [...seen.values()];
export const componentStores = (): boolean => components;
export const subgroupAttention = (): boolean => attention;

/**
 * Smaller products gain nothing by subgroup matrices: on an H100 a step of 768 tokens, width 128,
 * took 1.00 ms with them and 0.84 without.
 */
const LEAST_BY_SUBGROUPS = 2 ** 26;

/**
 * The plan of a product: the choice for its shape, where there is one that this device can run.
 * Products with operands `in_halves` are not tuned; `activation`: it is finished by an activation
 * or the derivative of one.
 */
export function planProduct(w: Wanted, in_halves: boolean, activation = false): Plan {
  if (in_halves)
    return subgroups && subgroupsFit(w.M, w.N, w.K) && w.M * w.N * w.K >= LEAST_BY_SUBGROUPS
      ? pickSubgroupTile(w.M, w.N, w.K, activation)
      : defaultPlan(w, true);
  const key = keyOf(w);
  const choice = chosen[key];
  seen.set(key, w);
  return (choice && planOfChoice(w, choice)) ?? defaultPlan(w);
}

/** What a product takes before anything is known of it. */
export const defaultPlan = (w: Wanted, in_halves = false): Plan =>
  defaultOf(w, deviceClass(), components, in_halves);
export function defaultOf(
  w: Wanted,
  device: DeviceClass,
  component_stores: boolean,
  in_halves = false,
): Plan {
  return device === 'large' && component_stores
    ? pickTestedTile(w, in_halves)
    : pickTile(device, w.M, w.N, w.K);
}

function planOfChoice({ M, N, K }: Wanted, c: Choice): Plan | null {
  const tile = tileNamed(c.tile);
  return tile && (tile.staging === 'blocks' || components)
    ? planOf(tile, M, N, K, c.splits, c.columns)
    : null;
}
