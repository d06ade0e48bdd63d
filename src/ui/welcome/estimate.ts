/** Size and duration of a preset on this device, estimated from a one-second calibration. */
import type { RunConfig } from '../../config/index.ts';
import { guessVocab, planRun } from '../../plan/index.ts';
import { compact, spokenDuration, type RunState } from '../../store/index.ts';

type Calibration = RunState['calibration'];

export interface Estimate {
  parameters: string;
  steps: string;
  /** Null until the device has been calibrated. */
  time: string | null;
}

export function estimate(config: RunConfig, calibration: Calibration): Estimate {
  const plan = planRun(config, { vocab_size: guessVocab(config) });
  const steps = config.training.max_iters;
  return {
    parameters: `${compact(plan.n_params)} parameters`,
    steps: `${steps.toLocaleString('en')} steps`,
    time: calibration
      ? spokenDuration(steps * secondsPerStep(plan.flops_per_step, calibration))
      : null,
  };
}

const secondsPerStep = (flops: number, calibration: NonNullable<Calibration>): number =>
  flops / calibration.flops_per_second + calibration.step_overhead_ms / 1000;
