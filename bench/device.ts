/** Starts the device of a job and collects its errors. */
import { type BackendChoice, startBackend } from '../src/backend/index.ts';
import type { BackendName } from '../src/config/index.ts';
import type { Mode } from './configs.ts';

export interface Started {
  device: Omit<BackendChoice, 'reason'>;
  /** Errors that the device has reported. A reader may remove those that it has handled. */
  errors: string[];
  lost: () => boolean;
  /** Throws the first error: times from a device that rejected commands are meaningless. */
  check: () => void;
}

/** `mode`: on wasm, `reference` starts tfjs's own backend instead of our engine. */
export async function startDevice(backend: BackendName, mode: Mode = 'replay'): Promise<Started> {
  const errors: string[] = [];
  let lost = false;
  const events = {
    lost: (reason: string) => {
      lost = true;
      errors.push(`The GPU device was lost: ${reason}.`);
    },
    error: (message: string) => errors.push(message),
  };
  const device = await startBackend(backend, events, {
    kernels: 'all',
    software: 'allowed',
    wasm: mode === 'reference' ? 'tfjs' : 'engine',
  });
  return {
    device,
    errors,
    lost: () => lost,
    check: () => {
      if (errors[0] !== undefined) throw new Error(errors[0]);
    },
  };
}
