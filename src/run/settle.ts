/** Turns a requested run into the run that will be computed, for the page and the worker alike. */
import {
  adjustmentsOf,
  checkConfig,
  resolveModel,
  withAdjustments,
  type Adjustment,
  type Facts,
  type Problem,
  type ResolvedModel,
  type RunConfig,
} from '../config/index.ts';
import { guessVocab, type Planner, planRun, type RunPlan } from '../plan/index.ts';
import { settlePrecision, type Precision, type PrecisionSupport } from './precision.ts';

/** What is known about the prepared text. A `DataSummary` is one. */
export interface TextFacts {
  /** Tokens of the tokenizer. */
  vocab_size: number;
  /** Tokens of the training split. */
  train_tokens?: number | undefined;
  /** Tokens of the validation split. */
  val_tokens?: number | undefined;
  /** Documents that were removed because they repeat another one. */
  duplicates_removed?: number | undefined;
  /**
   * Rows of the embedding, if not `vocab_size`: an imported model may have more than its tokenizer.
   */
  model_vocab_size?: number | undefined;
}

/** What is known about the device. A `DeviceInfo` is one. Sizes in bytes. */
export interface DeviceFacts extends PrecisionSupport {
  limits?: { max_binding_size: number; max_buffer_size: number } | undefined;
  /** Memory that a run can use; null or 0 if unknown. */
  memory_bytes?: number | null | undefined;
}

export interface SettledRun {
  /** The requested configuration with the adjustments made; this is the one to save. */
  config: RunConfig;
  /** The configuration with the effective precision; this is the one to compute with. */
  computed: RunConfig;
  model: ResolvedModel;
  precision: Precision;
  plan: RunPlan;
  /** What was changed in the requested configuration; empty if nothing was. */
  adjustments: Adjustment[];
  /** What would make the run fail, as far as is known; empty if nothing would. */
  problems: Problem[];
}

/**
 * Settles a run: its configuration, model, precision, cost and problems.
 *
 * @param text Null until the text has been read. The vocabulary is then `guessVocab`'s, and rules
 * about the text are not checked.
 * @param device Null until a backend has started. Precision is then the requested one, and limits
 * are not checked.
 * @param planner `stagePlanner` of plan/stage.ts for a stage after pretraining.
 */
export function settleRun(
  requested: RunConfig,
  text: TextFacts | null,
  device: DeviceFacts | null,
  planner: Planner = planRun,
): SettledRun {
  const adjustments = adjustmentsOf(requested, textFacts(text));
  const config = withAdjustments(requested, adjustments);
  const precision = settlePrecision(config.training.mixed_precision, device ?? {});
  const computed = withPrecision(config, precision);
  const vocab_size = text?.model_vocab_size ?? text?.vocab_size ?? guessVocab(config);
  const plan = planner(computed, {
    vocab_size,
    max_binding_size: device?.limits?.max_binding_size,
  });
  const problems = checkConfig(computed, { ...textFacts(text), ...deviceFacts(device, plan) });
  const model = resolveModel(computed.model, vocab_size);
  return { config, computed, model, precision, plan, adjustments, problems };
}

const textFacts = (text: TextFacts | null): Facts => ({
  vocab_size: text?.vocab_size,
  model_vocab_size: text?.model_vocab_size,
  train_tokens: text?.train_tokens,
  val_tokens: text?.val_tokens,
  duplicates_removed: text?.duplicates_removed,
});

const deviceFacts = (device: DeviceFacts | null, plan: RunPlan): Facts => ({
  max_binding_size: device?.limits?.max_binding_size,
  max_buffer_size: device?.limits?.max_buffer_size,
  planned_largest_buffer: plan.largest_binding.bytes,
  planned_bytes: plan.memory.total,
  // A backend that does not know its memory may report 0.
  memory_bytes: device?.memory_bytes || undefined,
});

function withPrecision(config: RunConfig, { mixed_precision }: Precision): RunConfig {
  if (config.training.mixed_precision === mixed_precision) return config;
  return { ...config, training: { ...config.training, mixed_precision } };
}
