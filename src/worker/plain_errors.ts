/** Turns what was thrown into what the page shows: what happened, and what to do about it. */
import { BindingTooLarge, ProcessorMemoryFull, ShaderError } from '../backend/index.ts';
import { CheckpointError } from '../checkpoint/index.ts';
import { isMissingPart } from '../common/index.ts';
import type { Problem } from '../config/index.ts';
import { DataError } from '../data/index.ts';
import type { PlainError } from '../protocol/index.ts';
import { LossExploded } from '../train/index.ts';
import { ModelRefusal } from './models/model_refusal.ts';

/** The GPU device, or a thread of our engine on the processor, was lost while a run used it. */
export class DeviceLost extends Error {
  constructor(
    readonly reason: string,
    readonly what: 'gpu' | 'processor' = 'gpu',
  ) {
    super(`${LOSS[what]} (${reason}).`);
  }
}

/** What happened, without a full stop. */
export const LOSS = {
  gpu: 'The GPU device was lost',
  processor: 'A thread of the processor stopped',
} as const;
/** No backend starts. The cause is the error of the last one that was tried. */
export class NoBackend extends Error {}
/** The configuration cannot run here. */
export class BadConfig extends Error {
  constructor(readonly problem: Problem) {
    super(problem.message);
  }
}

/** The model of a new run is not that of its parent. */
export class BadParent extends Error {
  constructor(
    readonly field: string,
    message: string,
    readonly hint: string,
  ) {
    super(message);
  }
}
/** Generation was requested, and there is no run. */
export class NoModel extends Error {
  constructor() {
    super('There is no model to generate with yet.');
  }
}
/** The objective of a run is not in this version of the page. */
export class UnknownObjective extends Error {
  constructor(readonly objective: string) {
    super(`This page has no objective called “${objective}”.`);
  }
}

/** What stopped the current run from being saved before another takes its place. */
export class RunNotSaved extends Error {
  constructor(readonly refusal: CheckpointError) {
    super(refusal.message);
  }
}

const MISSING_PART: PlainError = {
  code: 'missing_part',
  message: 'A part of the page could not be downloaded.',
  hint: 'Check the network, then try again or reload the page; what was saved is still there.',
  action: 'reload',
};

/** `saved`: storage has a checkpoint of the run that failed. */
export function plainError(error: unknown, saved = true): PlainError {
  if (error instanceof DataError) {
    const { code, message, hint } = error;
    return { code, message, hint, action: 'change_config' };
  }
  if (error instanceof RunNotSaved) {
    return {
      code: error.refusal.code,
      message: 'The current run could not be saved, so it stays open.',
      hint: 'Export it, or delete old runs to make room; then try again.',
      action: 'export',
    };
  }
  if (error instanceof CheckpointError) {
    const { code, message, hint } = error;
    const plain: PlainError = { code, message, hint };
    if (code === 'storage_full') plain.action = 'free_storage';
    return plain;
  }
  if (error instanceof BadConfig) {
    const { code, hint, field } = error.problem;
    return { code, message: error.message, hint, action: 'change_config', field };
  }
  if (error instanceof BadParent) {
    const { field, message, hint } = error;
    return { code: 'parent_differs', message, hint, action: 'change_config', field };
  }
  if (error instanceof NoModel) {
    const hint = 'Train one, resume a saved run, or import a checkpoint.';
    return { code: 'no_model', message: error.message, hint };
  }
  if (error instanceof ModelRefusal) {
    const { code, message, hint } = error;
    return { code, message, hint };
  }
  if (error instanceof UnknownObjective) {
    const hint = 'Open the run with the version of the page that saved it, or with a newer one.';
    return { code: 'unknown_objective', message: error.message, hint };
  }
  if (error instanceof LossExploded) return lossExploded(error, saved);
  if (isMissingPart(error)) return MISSING_PART;
  const known = deviceError(error);
  if (known) return known;
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: 'unexpected',
    message: `An unexpected error occurred: ${message.replace(/\.?$/, '.')}`,
    hint: 'Reload the page and resume; what was saved is still there.',
    action: 'reload',
  };
}

function lossExploded({ message }: LossExploded, saved: boolean): PlainError {
  const code = 'loss_exploded';
  if (saved) {
    return {
      code,
      message,
      hint: 'Resume from the last good checkpoint with a lower learning rate.',
      action: 'resume_lower_lr',
    };
  }
  return {
    code,
    message,
    hint: 'Nothing had been saved yet: lower learning_rate and press Train again.',
    action: 'change_config',
    field: 'training.learning_rate',
  };
}

const LOSS_HINTS = {
  gpu: 'Resume from the last checkpoint; if it happens again, lower batch_size or choose another backend.',
  processor:
    'Resume from the last checkpoint; if it happens again, choose one thread under Device, or close other tabs.',
} as const;

/** What the backend throws; null for anything else. */
function deviceError(error: unknown): PlainError | null {
  if (error instanceof ShaderError) {
    return {
      code: 'shader',
      message: error.message,
      hint: 'Choose another backend under Device, and tell us the name of your graphics card.',
      action: 'change_config',
      field: 'runtime.backend',
    };
  }
  if (error instanceof BindingTooLarge) {
    return {
      code: 'tensor_above_binding_limit',
      message: error.message,
      hint: 'Lower batch_size or block_size, or choose a smaller vocabulary.',
      action: 'change_config',
      field: 'training.batch_size',
    };
  }
  if (error instanceof DeviceLost) {
    return {
      code: 'device_lost',
      message: error.message,
      hint: LOSS_HINTS[error.what],
      action: 'resume',
    };
  }
  if (error instanceof NoBackend && isMissingPart(error.cause)) {
    return {
      code: 'no_backend',
      message: error.message,
      hint: 'Check the network and reload the page; what was saved is still there.',
      action: 'reload',
    };
  }
  if (error instanceof NoBackend) {
    return {
      code: 'no_backend',
      message: error.message,
      hint: 'Choose another backend under Device, or open the page in a current browser.',
      action: 'change_config',
      field: 'runtime.backend',
    };
  }
  if (error instanceof ProcessorMemoryFull) {
    return {
      code: 'out_of_memory',
      message: error.message,
      hint: 'Lower batch_size or choose a smaller model, then resume; what was saved is still there.',
      action: 'change_config',
      field: 'training.batch_size',
    };
  }
  if (error instanceof RangeError && /out of memory|allocation/i.test(error.message)) {
    return {
      code: 'out_of_memory',
      message: 'The browser has no memory left for this run.',
      hint: 'Close other tabs, or choose a shorter text or a smaller model.',
      action: 'change_config',
    };
  }
  return null;
}
