/**
 * Whatever was thrown, as the page shows it: one sentence of what happened and one of what to do.
 */
import { BindingTooLarge, ShaderError } from '../backend/index.ts';
import { CheckpointError } from '../checkpoint/index.ts';
import type { Problem } from '../config/index.ts';
import { DataError } from '../data/index.ts';
import type { PlainError } from '../protocol/index.ts';
import { LossExploded } from '../train/index.ts';

/** The GPU device went away under a run. */
export class DeviceLost extends Error {
  constructor(readonly reason: string) {
    super(`The GPU device was lost (${reason}).`);
  }
}
/** No backend starts. */
export class NoBackend extends Error {}
/** The configuration cannot run here. */
export class BadConfig extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/** `saved`: the run that failed has a checkpoint to go on from. */
export function plainError(error: unknown, saved = true): PlainError {
  if (error instanceof DataError)
    return { code: error.code, message: error.message, hint: error.hint, action: 'change_config' };
  if (error instanceof CheckpointError)
    return {
      code: error.code,
      message: error.message,
      hint: error.hint,
      ...(error.code === 'storage_full' ? { action: 'free_storage' as const } : {}),
    };
  if (error instanceof BadConfig)
    return {
      code: error.problem.code,
      message: error.message,
      hint: error.problem.hint,
      action: 'change_config',
      field: error.problem.field,
    };
  if (error instanceof LossExploded && !saved)
    return {
      code: 'loss_exploded',
      message: error.message,
      hint: 'Nothing had been saved yet: lower learning_rate and press Train again.',
      action: 'change_config',
      field: 'training.learning_rate',
    };
  if (error instanceof LossExploded)
    return {
      code: 'loss_exploded',
      message: error.message,
      hint: 'Go on from the last good checkpoint with a lower learning rate.',
      action: 'resume_lower_lr',
    };
  if (error instanceof ShaderError)
    return {
      code: 'shader',
      message: error.message,
      hint: 'Choose another backend under Device, and tell us the name of your graphics card.',
      action: 'change_config',
      field: 'runtime.backend',
    };
  if (error instanceof BindingTooLarge)
    return {
      code: 'tensor_above_binding_limit',
      message: error.message,
      hint: 'Lower batch_size or block_size, or choose a smaller vocabulary.',
      action: 'change_config',
      field: 'training.batch_size',
    };
  if (error instanceof DeviceLost)
    return {
      code: 'device_lost',
      message: error.message,
      hint: 'Resume from the last checkpoint; if it happens again, lower batch_size or choose another backend.',
      action: 'resume',
    };
  if (error instanceof NoBackend)
    return {
      code: 'no_backend',
      message: error.message,
      hint: 'Choose another backend under Device, or open the page in a current browser.',
      action: 'change_config',
      field: 'runtime.backend',
    };
  if (error instanceof RangeError && /out of memory|allocation/i.test(error.message)) {
    return {
      code: 'out_of_memory',
      message: 'The browser has no memory left for this run.',
      hint: 'Close other tabs, or choose a shorter text or a smaller model.',
      action: 'change_config',
    };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'unexpected',
    message: `Something failed that should not: ${message.replace(/\.?$/, '.')}`,
    hint: 'Reload the page and resume; what was saved is still there.',
    action: 'reload',
  };
}
