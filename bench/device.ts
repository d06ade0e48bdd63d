/** Starts the device of a job and collects its errors. */
import { type BackendChoice, startBackend, type ThreadMemo } from '../src/backend/index.ts';
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

/** Threads are measured in every run. */
const MEASURED: ThreadMemo = {
  recall: () => Promise.resolve(null),
  remember: () => Promise.resolve(),
};

export interface DeviceOptions {
  backend: BackendName;
  /** On wasm, `reference` starts tfjs's own backend instead of our engine. */
  mode?: Mode;
  /** Of the engine; 0 for as many as are fastest. */
  threads?: number;
}

export async function startDevice(options: DeviceOptions): Promise<Started> {
  const { backend, mode = 'replay', threads = 0 } = options;
  const errors: string[] = [];
  let lost = false;
  const events = {
    lost: (reason: string) => {
      lost = true;
      errors.push(`The device was lost: ${reason}.`);
    },
    error: (message: string) => errors.push(message),
  };
  const device = await startBackend(backend, events, {
    kernels: 'all',
    software: 'allowed',
    wasm: mode === 'reference' ? 'tfjs' : 'engine',
    threads: { wanted: threads > 0 ? threads : null, memo: MEASURED },
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
