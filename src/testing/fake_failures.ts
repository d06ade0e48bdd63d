/** What the scripted worker can go through (`?fake=NAME`), in the words of the real one. */
import type { PlainError } from '../protocol/index.ts';

export const SCENARIOS = [
  'run',
  'first',
  'nan',
  'device_lost',
  'worker_died',
  'too_short',
  'storage',
  'shader',
  'memory',
  'nogpu',
  'stages',
] as const;

export type Scenario = (typeof SCENARIOS)[number];

export interface Failure {
  /** 0: while preparing. */
  atStep: number;
  error?: PlainError;
  recovers?: boolean;
  dies?: boolean;
}

export const FAILURES: Partial<Record<Scenario, Failure>> = {
  nan: {
    atStep: 260,
    error: {
      code: 'loss_exploded',
      message: 'The loss was no longer a number at step 260.',
      hint: 'Resume from the last good checkpoint with a lower learning rate.',
      action: 'resume_lower_lr',
    },
  },
  device_lost: { atStep: 220, recovers: true },
  worker_died: { atStep: 220, dies: true },
  too_short: {
    atStep: 0,
    error: {
      code: 'text_too_short',
      message: 'The text has 12 tokens, and one context takes 17.',
      hint: 'Bring more text, or lower block_size.',
      action: 'change_config',
      field: 'data.corpus',
    },
  },
  storage: {
    atStep: 200,
    error: {
      code: 'storage_full',
      message: 'The browser has no room left for a checkpoint.',
      hint: 'Free storage in the library of runs, then continue training.',
      action: 'free_storage',
    },
  },
  shader: {
    atStep: 1,
    error: {
      code: 'shader',
      message: 'The GPU driver did not accept the program "attention".',
      hint: 'Choose WebGL or Processor under Device, or update the driver.',
      action: 'change_config',
      field: 'runtime.backend',
    },
  },
  memory: {
    atStep: 1,
    error: {
      code: 'out_of_memory',
      message: 'The GPU had no memory left for the activations.',
      hint: 'Lower batch_size and raise gradient_accumulation_steps.',
      action: 'change_config',
      field: 'training.batch_size',
    },
  },
};
