/** Domains and ticks of the axes, as round numbers that stay put while data comes in. */
import { clock, compact, count, type Axis, type ViewState } from '../../store/index.ts';

type Range = readonly [number, number];

/** The visible range of x: the zoom, or all of the data, from 0 on a linear scale. */
export function xDomainOf({ zoom, logX }: ViewState, extent: Range | null): [number, number] {
  const [first, last] = extent ?? [logX ? 1 : 0, 1];
  const [low, high] = zoom ?? [Math.min(0, first), last];
  return [logX ? Math.max(low, first) : low, high];
}

export interface DomainOptions {
  /** Values that must be visible besides the data. */
  references: readonly number[];
  log: boolean;
  /** A value at which a linear domain starts unless the data is lower. */
  floor?: number;
}

/** The extent of the data and the references, rounded outwards on a linear scale. */
export function paddedDomain(
  extent: Range | null,
  { references, log, floor }: DomainOptions,
): [number, number] {
  const values = [...(extent ?? [0, 1]), ...references].filter((value) => !log || value > 0);
  const low = Math.min(...values, ...(floor === undefined || log ? [] : [floor]));
  const high = Math.max(...values);
  if (log) return [low * 0.92, high * 1.08];
  if (low === high) return linearDomain(low, low === 0 ? 1 : low + Math.abs(low) * 0.2, floor);
  return linearDomain(low, high, floor);
}

function linearDomain(low: number, high: number, floor: number | undefined): [number, number] {
  const step = roundStep((high - low) / 12);
  const padded = Math.floor((low - (high - low) * 0.02) / step) * step;
  const bottom = low === floor ? low : padded;
  const top = Math.ceil((high + (high - bottom) * 0.08) / step) * step;
  return [bottom, top];
}

/** 1, 2 or 5 times a power of ten, at least `rough`. */
export function roundStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  const lead = [1, 2, 5].find((candidate) => candidate >= rough / power) ?? 10;
  return lead * power;
}

export interface TickOptions {
  log: boolean;
  /** About how many ticks there may be. */
  maxTicks: number;
  /** Allows only integers: there is no step 0.4. */
  integers?: boolean;
}

/** Below this ratio of its ends, a logarithmic domain gets linear ticks. */
const MIN_LOG_RATIO = 8;

/** Round ticks inside a domain. */
export function niceTicks(
  [low, high]: Range,
  { log, maxTicks, integers = false }: TickOptions,
): number[] {
  if (!(high > low)) return [low];
  if (log && high / low > MIN_LOG_RATIO) return logTicks(low, high, maxTicks);
  const step = roundStep((high - low) / maxTicks);
  return linearTicks(low, high, integers ? Math.max(1, step) : step);
}

function linearTicks(low: number, high: number, step: number): number[] {
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => withoutNoise((first + i) * step));
}

function logTicks(low: number, high: number, maxTicks: number): number[] {
  const ticks: number[] = [];
  const leads = Math.log10(high / low) * 3 <= maxTicks * 1.5 ? [1, 2, 5] : [1];
  for (let power = Math.floor(Math.log10(low)); power <= Math.ceil(Math.log10(high)); power += 1) {
    for (const lead of leads) {
      const tick = withoutNoise(lead * 10 ** power);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** Removes rounding errors such as 0.30000000000000004. */
const withoutNoise = (value: number): number => Number(value.toPrecision(12));

export const tickText = (value: number, axis: Axis): string =>
  axis === 'seconds' ? clock(value) : compact(value);

/** A position on the x axis, with its unit. */
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
