/** Domains and ticks: round numbers, and a range that does not twitch with every point. */
import { clock, compact, count, type Axis } from '../../store/index.ts';

/** The data's extent with the references in it, widened to round numbers on a linear scale. */
export function paddedDomain(
  y: readonly [number, number] | null,
  references: readonly number[],
  log: boolean,
  floor?: number,
): [number, number] {
  const values = [...(y ?? [0, 1]), ...references].filter((value) => !log || value > 0);
  let low = Math.min(...values);
  let high = Math.max(...values);
  if (log) return [low * 0.92, high * 1.08];
  if (floor !== undefined) low = Math.min(floor, low);
  if (low === high) high = low === 0 ? 1 : low + Math.abs(low) * 0.2;
  const step = roundStep((high - low) / 12);
  low =
    floor !== undefined && low === floor
      ? low
      : Math.floor((low - (high - low) * 0.02) / step) * step;
  return [low, Math.ceil((high + (high - low) * 0.08) / step) * step];
}

/** 1, 2 or 5 times a power of ten, at least `rough`. */
export function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = rough / power;
  return (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
}

/**
 * Round ticks inside a domain, at most about `most` of them; `whole`: none between two whole
 * numbers (there is no step 0.4).
 */
export function niceTicks(
  [low, high]: readonly [number, number],
  log: boolean,
  most: number,
  whole = false,
): number[] {
  if (!(high > low)) return [low];
  return log && high / low > 8
    ? logTicks(low, high, most)
    : linearTicks(low, high, most, whole ? 1 : 0);
}

function linearTicks(low: number, high: number, most: number, least: number): number[] {
  const step = Math.max(least, roundStep((high - low) / most));
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) =>
    Number(((first + i) * step).toPrecision(12)),
  );
}

function logTicks(low: number, high: number, most: number): number[] {
  const ticks: number[] = [];
  const leads = Math.log10(high / low) * 3 <= most * 1.5 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const lead of leads) {
      const tick = Number((lead * 10 ** power).toPrecision(12));
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

export const tickText = (value: number, axis: Axis): string =>
  axis === 'seconds' ? clock(value) : compact(value);

export function axisText(value: number, axis: Axis): string {
  switch (axis) {
    case 'step':
      return `step ${count(value)}`;
    case 'tokens':
      return `${compact(value)} tokens`;
    case 'seconds':
      return clock(value);
    default:
      return axis satisfies never;
  }
}
