/** The plans that the tuner tries for a matmul. */
import { defaultPlan } from './choices.ts';
import {
  type DeviceClass,
  type MatmulShape,
  MAX_PARTIALS,
  pickPlan,
  type Plan,
  planOf,
} from './plan.ts';
import type { Tile } from './tile.ts';
import { COMPONENT_TILES, tileNamed } from './tiles.ts';

/** Names of the tiles that are tried. Excludes `ahead`, which is for float16 operands. */
const TRIED: Record<DeviceClass, readonly string[]> = {
  large: [
    ...Object.values(COMPONENT_TILES)
      .filter((tile) => tile !== COMPONENT_TILES.ahead)
      .map((tile) => tile.name),
    'wide',
    'flat',
    'square',
  ],
  small: [
    'square',
    'square of 8x4',
    'half',
    'small',
    'small written out',
    'square of 8',
    'small of 8',
  ],
};

/**
 * The plans that are tried for a matmul, the default first, each once: tiles that the device can run
 * and of which at least a quarter along each side lies inside C, and other splits of the default.
 */
export function candidatesOf(
  shape: MatmulShape,
  device: DeviceClass,
  component_stores: boolean,
): Plan[] {
  const { M, N, K } = shape;
  const first = defaultPlan(shape, device, component_stores);
  const fits = (tile: Tile): boolean =>
    (component_stores || tile.staging === 'blocks') && tile.BM < 4 * M && tile.BN < 4 * N;
  const byTile = TRIED[device]
    .flatMap((name) => tileNamed(name) ?? [])
    .filter(fits)
    .map((tile) => pickPlan(device, shape, tile));
  const bySplits = [first.splits * 2, Math.floor(first.splits / 2)]
    .filter((splits) => splits >= 1 && splits !== first.splits)
    .filter((splits) => K / splits >= 64 && splits * M * N <= MAX_PARTIALS)
    .map((splits) => planOf(first.tile, shape, splits));
  return distinctPlans([first, ...byTile, ...bySplits]);
}

/** Of plans with the same tile, splits and column sums, keeps the last, in the place of the first. */
export const distinctPlans = (plans: readonly Plan[]): Plan[] => [
  ...new Map(
    plans.map((plan) => [JSON.stringify([plan.tile.name, plan.splits, plan.columns]), plan]),
  ).values(),
];
