/** Estimates the time of a run from the measured speed of a device. */
import type { RunConfig } from '../config/index.ts';
import type { RunPlan } from './plan.ts';

/** What was measured of a device and backend (worker/calibrate.ts). */
export interface DeviceSpeed {
  flops_per_second: number;
  /** Fixed cost of a step of two layers. */
  step_overhead_ms: number;
}

/** Seconds of the forward and backward pass of one micro-batch: nearly all of a step that has only one. */
export function stepSeconds(
  { model, training }: RunConfig,
  plan: RunPlan,
  { flops_per_second, step_overhead_ms }: DeviceSpeed,
): number {
  const { gradient_accumulation_steps } = training;
  const flops = plan.flops_per_step / gradient_accumulation_steps;
  return flops / flops_per_second + overheadSeconds(model.n_layer, step_overhead_ms);
}

/**
 * Fixed cost of a micro-batch, proportional to the number of operations: those of each layer, and about
 * as many outside of them. `step_overhead_ms` was measured with two layers.
 */
function overheadSeconds(n_layer: number, step_overhead_ms: number): number {
  return ((step_overhead_ms / 1000) * (n_layer + 1)) / 3;
}

/** Seconds of training, evaluation and sampling; within about a factor of two. */
export function estimateSeconds(config: RunConfig, plan: RunPlan, speed: DeviceSpeed): number {
  const { training, sampling, model } = config;
  const { gradient_accumulation_steps, max_seconds } = training;
  const overhead = overheadSeconds(model.n_layer, speed.step_overhead_ms);
  const microStep = stepSeconds(config, plan, speed);
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
