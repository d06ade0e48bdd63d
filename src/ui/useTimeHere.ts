/** How long runs take on this device, from its calibration. */
import { type RunConfig, smallerConfig } from '../config/index.ts';
import { estimateSeconds, guessVocab, planRun, type RunPlan } from '../plan/index.ts';
import { LONG_SECONDS } from '../store/index.ts';
import { useRun } from './context.tsx';

/** How a run that would take too long here can be made smaller. */
export interface SmallerRun {
  config: RunConfig;
  /** Of the smaller run. */
  seconds: number;
}

/** A smaller recipe than one that takes over an hour here, if it is much faster; else null. */
export function useSmallerRun(config: RunConfig, seconds: number | null): SmallerRun | null {
  const calibration = useRun((state) => state.calibration);
  if (!calibration || seconds === null || seconds < LONG_SECONDS) return null;
  const smaller = smallerConfig(config);
  if (!smaller) return null;
  const plan = planRun(smaller, { vocab_size: guessVocab(smaller) });
  const faster = estimateSeconds(smaller, plan, calibration);
  return faster < seconds / 2 ? { config: smaller, seconds: faster } : null;
}

/** Seconds of a run, or null until the device is calibrated. */
export function useSecondsHere(config: RunConfig, plan: RunPlan): number | null {
  const calibration = useRun((state) => state.calibration);
  return calibration ? estimateSeconds(config, plan, calibration) : null;
}
