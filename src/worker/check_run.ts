/** Refuses a run that cannot work on the device, before anything is allocated for it. */
import { asComputed, checkConfig, type RunConfig } from '../config/index.ts';
import { planRun } from '../plan/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import { BadConfig } from './plain_errors.ts';
import type { PreparedText } from './text.ts';

export interface RunFacts {
  text: PreparedText;
  /** Of the model, which may be larger than the tokenizer's. */
  vocab_size: number;
  device: DeviceInfo;
}

/** Throws BadConfig with the first problem. */
export function requireRunnable(asked: RunConfig, { text, vocab_size, device }: RunFacts): void {
  const config = asComputed(asked, device.backend);
  const { max_binding_size, max_buffer_size } = device.limits;
  const plan = planRun(config, { vocab_size, max_binding_size });
  const [problem] = checkConfig(config, {
    vocab_size: text.tokenizer.vocab_size,
    train_tokens: text.tokens.train.length,
    val_tokens: text.tokens.val.length,
    max_binding_size,
    max_buffer_size,
    planned_bytes: plan.memory.total,
    memory_bytes: device.memory_bytes ?? undefined,
  });
  if (problem) throw new BadConfig(problem);
}
