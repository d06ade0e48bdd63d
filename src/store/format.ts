/**
 * Numbers as a user reads them: rounded to what is known, with units. Pure functions, locale en.
 */

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** 5,000 */
export const count = (value: number): string => {
  if (!Number.isFinite(value)) return '–';
  const whole = Math.round(value);
  // Intl is slow, and axes format many numbers.
  return Math.abs(whole) < 1000 ? String(whole) : grouped.format(whole);
};

/** 1.92, 0.0173, 12.4: about three digits. */
export function measure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size === 0) return '0';
  if (size >= 1000) return compact(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 0.1) return value.toFixed(2);
  if (size >= 0.001) return value.toFixed(4);
  if (size >= 1e-5) return value.toPrecision(2);
  return value.toExponential(1).replace('e-', 'e−');
}

/** A loss always has two decimals (three below 0.1), so that nothing jumps as it falls. */
export const lossText = (value: number): string =>
  Number.isFinite(value) ? value.toFixed(Math.abs(value) < 0.1 ? 3 : 2) : '–';

/** 950, 12.3k, 4.56M, 1.2B */
export function compact(value: number): string {
  if (!Number.isFinite(value)) return '–';
  for (const [limit, unit] of [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (Math.abs(value) >= limit) {
      return `${threeDigits(value / limit)}${unit}`;
    }
  }
  return count(value);
}

function threeDigits(value: number): string {
  if (value >= 100) return value.toFixed(0);
  return value.toFixed(value >= 10 ? 1 : 2);
}

/** 812 B, 34.5 kB, 1.20 MB (powers of 1000, as disks and GPUs are sold). */
export function bytes(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value < 1000) return `${grouped.format(value)} B`;
  return compact(value).replace(
    /(\d)([kMBT])$/u,
    (_, digit: string, unit: string) => `${digit} ${unit === 'B' ? 'G' : unit}B`,
  );
}

/** Seconds of a day: no one waits that long for a web page, so longer times are not told apart. */
export const DAY = 86_400;

/**
 * "42 seconds", "About 2 minutes", for a sentence; below a minute in steps of five seconds, so that
 * it is calm.
 */
export function spokenDuration(seconds: number): string {
  if (seconds < 8) return 'a few seconds';
  if (seconds < 55) return `about ${Math.round(seconds / 5) * 5} seconds`;
  if (seconds < 90) return 'about a minute';
  if (seconds < 3570) return `about ${Math.round(seconds / 60)} minutes`;
  if (seconds < 5400) return 'about an hour';
  if (seconds < DAY) return `about ${Math.round(seconds / 3600)} hours`;
  return 'more than a day';
}

/** 0:42, 12:05, 3:20:00 */
export function clock(seconds: number): string {
  if (!Number.isFinite(seconds)) return '–';
  const whole = Math.max(0, Math.round(seconds));
  const pad = (value: number): string => String(value).padStart(2, '0');
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  return hours > 0
    ? `${hours}:${pad(minutes)}:${pad(whole % 60)}`
    : `${minutes}:${pad(whole % 60)}`;
}

export const percent = (share: number, digits = 0): string =>
  Number.isFinite(share) ? `${(share * 100).toFixed(digits)}%` : '–';

/** "3 minutes ago", from two epoch times in milliseconds. */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, (now - then) / 1000);
  if (seconds < 60) return 'just now';
  if (seconds < 3600) return plural(Math.floor(seconds / 60), 'minute');
  if (seconds < 86_400) return plural(Math.floor(seconds / 3600), 'hour');
  return plural(Math.floor(seconds / 86_400), 'day');
}
const plural = (value: number, unit: string): string =>
  `${value} ${unit}${value === 1 ? '' : 's'} ago`;
