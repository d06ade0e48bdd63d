/**
 * What the current device supports, and which plan each matmul uses on it: the tuner's choice for
 * its shape, or the default. A plan changes the order in which values are added, so choices are set
 * before a run compiles its first program and stay fixed for the run.
 */
import { deviceClass } from '../../backend/index.ts';
import { pickComponentPlan } from './component_plan.ts';
import {
  type ColumnSums,
  type DeviceClass,
  type MatmulShape,
  pickPlan,
  type Plan,
  planOf,
} from './plan.ts';
import { pickSubgroupPlan, subgroupsFit } from './subgroup_plan.ts';
import { tileNamed } from './tiles.ts';

/** A tuned plan as it is stored. */
export interface Choice {
  tile: string;
  splits: number;
  columns: ColumnSums;
}
/** Choices by `keyOf` of the matmul. */
export type Choices = Readonly<Record<string, Choice>>;

/** Identifies a shape in stored choices, for example `nt 512x64x64 columns`. */
export function keyOf({ transpose_a, transpose_b, M, N, K, columns }: MatmulShape): string {
  const form = `${transpose_a ? 't' : 'n'}${transpose_b ? 't' : 'n'}`;
  return `${form} ${M}x${N}x${K}${columns ? ' columns' : ''}`;
}

/** Features that the device was tested for and that a run may use. */
export interface Abilities {
  /** Tiles with `staging: 'components'`. */
  component_stores: boolean;
  /**
   * Subgroup matrices, for matmuls with an operand that is stored as float16. Both operands are
   * then rounded to float16.
   */
  subgroup_matrices: boolean;
  /** Subgroup matrices in attention, where every tensor is stored as float16. */
  subgroup_attention?: boolean;
}
const NO_ABILITIES: Abilities = { component_stores: false, subgroup_matrices: false };

let chosen: Choices = {};
let abilities: Abilities = NO_ABILITIES;
const seen = new Map<string, MatmulShape>();

/** Sets what all later matmuls are planned by, and forgets `seenMatmuls`. */
export function setChoices(choices: Choices, able: Abilities = NO_ABILITIES): void {
  chosen = choices;
  abilities = able;
  seen.clear();
}

/** The tunable matmuls that were planned since `setChoices`. */
export const seenMatmuls = (): MatmulShape[] => [...seen.values()];
export const componentStores = (): boolean => abilities.component_stores;
export const subgroupAttention = (): boolean => abilities.subgroup_attention ?? false;

/**
 * Multiplications below which subgroup matrices gain nothing: on an H100 a training step of 768
 * tokens and width 128 took 1.00 ms with them and 0.84 ms without.
 */
const MIN_SUBGROUP_WORK = 2 ** 26;

/**
 * The plan of a matmul: the choice for its shape if the device can run it, else the default. Matmuls
 * with a float16 operand are not tuned. `activation`: an activation, or the derivative of one, is
 * applied to the result.
 */
export function planMatmul(shape: MatmulShape, float16: boolean, activation = false): Plan {
  if (float16) {
    const large = shape.M * shape.N * shape.K >= MIN_SUBGROUP_WORK;
    return abilities.subgroup_matrices && subgroupsFit(shape) && large
      ? pickSubgroupPlan(shape, activation)
      : defaultPlan(shape, deviceClass(), componentStores(), true);
  }
  const key = keyOf(shape);
  const choice = chosen[key];
  seen.set(key, shape);
  return (
    (choice && planOfChoice(shape, choice)) ?? defaultPlan(shape, deviceClass(), componentStores())
  );
}

/** The plan of a matmul for which there is no choice. */
export function defaultPlan(
  shape: MatmulShape,
  device: DeviceClass,
  component_stores: boolean,
  float16 = false,
): Plan {
  return device === 'large' && component_stores
    ? pickComponentPlan(shape, float16)
    : pickPlan(device, shape);
}

/** Null if the tile is unknown (stored by another version) or the device cannot run it. */
function planOfChoice(shape: MatmulShape, choice: Choice): Plan | null {
  const tile = tileNamed(choice.tile);
  if (!tile || (tile.staging === 'components' && !componentStores())) return null;
  return planOf(tile, shape, choice.splits, choice.columns);
}
