/** Plausible metrics of a run, without a model. */
import type { RunConfig } from '../config/index.ts';
import type { MetricColumns } from '../protocol/index.ts';

/** Loss of a step: falls from about 4 to about 2. */
export function lossAt({ training }: RunConfig, step: number): number {
  const progress = step / training.max_iters;
  return 1.86 + 2.14 * Math.exp(-progress / 0.09) + 0.35 * Math.exp(-progress);
}

/** How well the model writes at a step, from 0 to 1. */
export function skillAt({ training }: RunConfig, step: number): number {
  return 1 - Math.exp(-step / (training.max_iters * 0.16));
}

/** Warm-up, then a cosine from `learning_rate` to `min_lr`. */
function learningRateAt({ training }: RunConfig, step: number): number {
  const { learning_rate, min_lr, max_iters, warmup_iters } = training;
  if (step < warmup_iters) return (learning_rate * step) / warmup_iters;
  const progress = (step - warmup_iters) / Math.max(1, max_iters - warmup_iters);
  return min_lr + (learning_rate - min_lr) * 0.5 * (1 + Math.cos(Math.PI * progress));
}

/** Metrics of the steps after `from`, up to `to`. */
export function fakeColumns(
  config: RunConfig,
  from: number,
  to: number,
  random: () => number,
): MetricColumns {
  const { batch_size, eval_interval, max_iters } = config.training;
  const tokens = batch_size * config.model.block_size;
  const steps = Array.from({ length: to - from }, (_, i) => from + i + 1);
  const column = (valueAt: (step: number) => number): Float64Array =>
    Float64Array.from(steps, valueAt);
  /** NaN except where the run evaluates. */
  const evaluated = (valueAt: (step: number) => number): Float64Array =>
    column((step) => (step % eval_interval === 0 || step === 1 ? valueAt(step) : NaN));
  const loss = (step: number): number => lossAt(config, step);
  const valLoss = (step: number): number => loss(step) + 0.05 + 0.1 * (step / max_iters);
  const skill = (step: number): number => skillAt(config, step);
  const spike = (probability: number, height: number): number =>
    random() < probability ? height : 0;
  return {
    step: column((step) => step),
    'train/loss': column(
      (step) => loss(step) + 0.09 * (random() + random() - 1) + spike(0.004, 0.9 * random()),
    ),
    'val/loss': evaluated(valLoss),
    'val/bpb': evaluated((step) => valLoss(step) / Math.LN2),
    'val/perplexity': evaluated((step) => Math.exp(valLoss(step))),
    'val/accuracy': evaluated((step) => 0.46 * skill(step)),
    'train/accuracy': column((step) => 0.48 * skill(step) + 0.02 * random()),
    lr: column((step) => learningRateAt(config, step)),
    grad_norm: column(
      (step) => 0.4 + 1.6 * Math.exp(-step / 80) + 0.15 * random() + spike(0.005, 2),
    ),
    'train/tok_per_sec': column(() => 70_000 * (0.96 + 0.06 * random())),
    step_ms: column(() => (tokens / 70) * (0.97 + 0.06 * random())),
    gpu_live_bytes: column(() => 24_300_000),
    gpu_bytes: column(() => 27_900_000),
    js_heap_bytes: column((step) => 31e6 + 4e6 * ((step % 90) / 90)),
    'sample/novel': evaluated((step) => 0.99 - 0.25 * skill(step)),
    tokens: column((step) => step * tokens),
    seconds: column((step) => (step * tokens) / 70_000),
  };
}
