/** Settles a run for its text and the open device, before anything is allocated for it. */
import type { RunConfig } from '../config/index.ts';
import type { Planner } from '../plan/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import type { FrozenDtype } from '../run/frozen_dtype.ts';
import { settleRun, type SettledRun } from '../run/index.ts';
import { BadConfig } from './plain_errors.ts';
import type { RunSurroundings } from './run_parts.ts';
import type { SessionServices } from './services.ts';
import type { PreparedText } from './prepared_text.ts';

export interface RunFacts {
  text: PreparedText;
  /** Of the model, which may be larger than the tokenizer's. */
  vocab_size: number;
  device: DeviceInfo;
}

type Services = Pick<SessionServices, 'float16UnsupportedReason'>;

/** Throws BadConfig with the first problem. */
export async function settleOnDevice(
  config: RunConfig,
  { text, vocab_size, device }: RunFacts,
  services: Services,
): Promise<SettledRun> {
  const wantsFloat16 = config.training.mixed_precision !== 'no' && device.backend === 'webgpu';
  const float16_unsupported = wantsFloat16 ? await services.float16UnsupportedReason() : undefined;
  const textFacts = {
    vocab_size: text.tokenizer.vocab_size,
    // The examples of a stage are no running text: rules about its length do not apply.
    train_tokens: text.stage ? undefined : text.tokens.train.length,
    val_tokens: text.stage ? undefined : text.tokens.val.length,
    duplicates_removed: text.summary.duplicates_removed,
    model_vocab_size: vocab_size,
  };
  const planner = text.stage
    ? (await settledStage(text.stage, device, services)).planner
    : undefined;
  const settled = settleRun(config, textFacts, { ...device, float16_unsupported }, planner);
  const [problem] = settled.problems;
  if (problem) throw new BadConfig(problem);
  return settled;
}

interface ImportFacts extends Pick<RunSurroundings, 'emit'> {
  vocab_size: number;
  device: DeviceInfo;
}

/**
 * The configuration of a model that was made elsewhere, with a batch and a context that fit this
 * device. Tells the page what was changed.
 */
export async function fittingConfig(
  requested: RunConfig,
  { vocab_size, device, emit }: ImportFacts,
): Promise<RunConfig> {
  const { proposeRun, UNKNOWN_MEMORY } = await import('../plan/stage.ts');
  const { config, changes } = proposeRun(requested, {
    vocab_size,
    max_binding_size: device.limits?.max_binding_size,
    memory_bytes: device.memory_bytes || UNKNOWN_MEMORY,
  });
  if (changes.length > 0) {
    const values = changes.map(([path, value]) => `${path.split('.')[1]} is ${String(value)}`);
    const message = `Training this model takes much memory, so ${values.join(', ')}.`;
    emit({ type: 'notice', message });
  }
  return config;
}

interface SettledStage extends FrozenDtype {
  planner: Planner;
}

/** Only stages load the code that plans them. */
export async function settledStage(
  { config, data }: NonNullable<PreparedText['stage']>,
  { backend }: DeviceInfo,
  services: Services,
): Promise<SettledStage> {
  const { stagePlanner } = await import('../plan/stage.ts');
  const { asksForFloat16, settleFrozenDtype } = await import('../run/frozen_dtype.ts');
  const isTested = asksForFloat16(config) && backend === 'webgpu';
  const float16_unsupported = isTested ? await services.float16UnsupportedReason() : undefined;
  const frozen = settleFrozenDtype(config, { backend, float16_unsupported });
  const stage = { ...config, peft: { ...config.peft, dtype: frozen.dtype } };
  return { planner: stagePlanner(stage, data.row_length), ...frozen };
}

/** `settleOnDevice`, which also tells the page what was adjusted. Throws BadConfig. */
export async function settleAndTell(
  config: RunConfig,
  facts: RunFacts,
  { services, emit }: Pick<RunSurroundings, 'services' | 'emit'>,
): Promise<SettledRun> {
  const settled = await settleOnDevice(config, facts, services);
  for (const { message } of settled.adjustments) emit({ type: 'notice', message });
  const { text, device } = facts;
  const reason = text.stage && (await settledStage(text.stage, device, services)).reason;
  if (reason) emit({ type: 'notice', message: reason });
  return settled;
}
