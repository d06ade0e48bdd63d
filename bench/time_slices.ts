/** Programs are compared in rounds, each of them running for a slice of GPU time in every round. */
const SLICE_MS = 2;
const MAX_REPEATS = 500;

/** Runs that fill a slice, from the milliseconds of one run; 1 if those are not known. */
export function repeatsOfSlice(ms: number | undefined): number {
  const repeats = Math.round(SLICE_MS / (ms || SLICE_MS));
  return Math.max(1, Math.min(MAX_REPEATS, repeats));
}
