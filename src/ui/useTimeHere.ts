/** How long runs take on this device, from its calibration. */
import type { RunConfig } from '../config/index.ts';
import { estimateSeconds, type RunPlan } from '../plan/index.ts';
import { useRun } from './context.tsx';

/** Seconds of a run, or null until the device is calibrated. */
export function useSecondsHere(config: RunConfig, plan: RunPlan): number | null {
  const calibration = useRun((state) => state.calibration);
  return calibration ? estimateSeconds(config, plan, calibration) : null;
}
