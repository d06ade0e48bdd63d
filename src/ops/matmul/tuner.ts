/**
 * Finds the fastest of a few plans for each matmul by timing them in slices of some milliseconds.
 * Every candidate must first give the same result as the simplest kernel. A choice applies to
 * programs that are compiled after `setChoices`. This module is loaded only when it is needed.
 */
import { deviceClass } from '../../backend/index.ts';
import { candidatesOf, distinctPlans } from './candidates.ts';
import { type Choice, type Choices, componentStores, keyOf } from './choices.ts';
import { COLUMN_SUMS, type DeviceClass, type MatmulShape, type Plan, planOf } from './plan.ts';
import { PlanTimer } from './plan_timer.ts';

/** Bytes that the tensors of a tuned matmul may take, besides what a run holds. */
const MAX_BYTES: Record<DeviceClass, number> = { large: 2 ** 30, small: 2 ** 27 };

export interface TuneOptions {
  /** Asked between slices; true ends the tuning and keeps what it has found so far. */
  stopped: () => boolean;
  /** Milliseconds for the whole call. */
  budget_ms: number;
}

/**
 * Times the plans of each matmul that has no choice in `known`, the largest first. Returns `known`
 * with the new choices.
 */
export async function tuneMatmuls(
  shapes: readonly MatmulShape[],
  known: Choices,
  { stopped, budget_ms }: TuneOptions,
): Promise<Choices> {
  const found: Record<string, Choice> = { ...known };
  const end = performance.now() + budget_ms;
  const device = deviceClass();
  const over = (): boolean => stopped() || performance.now() > end;
  for (const shape of [...shapes].sort((x, y) => workOf(y) - workOf(x))) {
    if (over()) break;
    if (found[keyOf(shape)] || bytesOf(shape) > MAX_BYTES[device]) continue;
    const best = await tuneOne(shape, device, over);
    if (best)
      found[keyOf(shape)] = { tile: best.tile.name, splits: best.splits, columns: best.columns };
  }
  return found;
}

const workOf = ({ M, N, K }: MatmulShape): number => M * N * K;

/** The operands, and C three times: as timed, as expected, and as partial results. */
const bytesOf = ({ M, N, K }: MatmulShape): number => 4 * (M * K + N * K + 3 * M * N);

/** Null if it was stopped before the end. */
async function tuneOne(
  shape: MatmulShape,
  device: DeviceClass,
  stopped: () => boolean,
): Promise<Plan | null> {
  const timer = new PlanTimer(shape);
  try {
    const best = await timer.fastest(candidatesOf(shape, device, componentStores()), stopped);
    if (!best || !shape.columns) return best;
    // The ways to sum columns are tried with the winning tile.
    const ways = COLUMN_SUMS.map((columns) => planOf(best.tile, shape, best.splits, columns));
    return await timer.fastest(distinctPlans([best, ...ways]), stopped);
  } finally {
    timer.dispose();
  }
}
