/** Settles a run for its text and the open device, before anything is allocated for it. */
import type { RunConfig } from '../config/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import { settleRun, type SettledRun } from '../run/index.ts';
import { BadConfig } from './plain_errors.ts';
import type { RunSurroundings } from './run_parts.ts';
import type { SessionServices } from './services.ts';
import type { PreparedText } from './text.ts';

export interface RunFacts {
  text: PreparedText;
  /** Of the model, which may be larger than the tokenizer's. */
  vocab_size: number;
  device: DeviceInfo;
}

/** Throws BadConfig with the first problem. */
export async function settleOnDevice(
  config: RunConfig,
  { text, vocab_size, device }: RunFacts,
  services: Pick<SessionServices, 'float16UnsupportedReason'>,
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
  const settled = settleRun(config, textFacts, { ...device, float16_unsupported });
  const [problem] = settled.problems;
  if (problem) throw new BadConfig(problem);
  return settled;
}

/** The same, and tells the page what was adjusted in the configuration. */
export async function settleAndTell(
  config: RunConfig,
  facts: RunFacts,
  { services, emit }: Pick<RunSurroundings, 'services' | 'emit'>,
): Promise<SettledRun> {
  const settled = await settleOnDevice(config, facts, services);
  for (const { message } of settled.adjustments) emit({ type: 'notice', message });
  return settled;
}
