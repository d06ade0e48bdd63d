/** How long a run takes on a device that was calibrated. */
import type { RunConfig } from '../config/index.ts';
import type { RunPlan } from './plan.ts';

/** What was measured of a device and backend (worker/calibrate.ts). */
export interface DeviceSpeed {
  flops_per_second: number;
  /** Fixed cost of a step of two layers. */
  step_overhead_ms: number;
}

/** Seconds of training, evaluation and sampling; within about a factor of two. */
export function estimateSeconds(
  config: RunConfig,
  plan: RunPlan,
  { flops_per_second, step_overhead_ms }: DeviceSpeed,
): number {
  const { training, sampling, model } = config;
  const { gradient_accumulation_steps, max_seconds } = training;
  // Operations are counted by layers, with one for what is around them; two layers were measured.
  const overhead = ((step_overhead_ms / 1000) * (model.n_layer + 1)) / 3;
  const microStep = plan.flops_per_step / gradient_accumulation_steps / flops_per_second + overhead;
  const steps = stepsOf(config, plan);
  // A forward pass is about a third of a step.
  const evaluations = Math.ceil(steps / training.eval_interval) * training.eval_iters;
  const samples = sampling.sample_interval > 0 ? Math.ceil(steps / sampling.sample_interval) : 0;
  // Prompts are continued together, token by token, at the fixed cost of a forward pass.
  const seconds =
    steps * gradient_accumulation_steps * microStep +
    (evaluations * microStep) / 3 +
    (samples * sampling.max_new_tokens * overhead) / 3;
  return max_seconds > 0 ? Math.min(max_seconds, seconds) : seconds;
}

/** Steps until one of the limits in steps or tokens ends the run. */
function stepsOf({ training }: RunConfig, { tokens_per_step }: RunPlan): number {
  const { max_iters, max_tokens } = training;
  return max_tokens > 0 ? Math.min(max_iters, Math.ceil(max_tokens / tokens_per_step)) : max_iters;
}
