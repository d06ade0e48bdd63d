/** How long a run takes on this device, in words. */
import { DAY, spokenDuration } from './format.ts';

/** A run that takes longer is offered in a smaller size, seconds. */
export const LONG_SECONDS = 3600;

/**
 * "about 3 minutes", or that the device is too slow for this run.
 *
 * @param seconds Of the whole run; null while the device is not calibrated.
 * @param faster What would be done in time; null if nothing smaller is offered.
 */
export function timeHere(seconds: number | null, faster: string | null): string {
  if (seconds === null) return 'measuring this device…';
  if (seconds < DAY) return spokenDuration(seconds);
  return faster ? `too slow on this device: try ${faster}` : 'too slow on this device';
}
