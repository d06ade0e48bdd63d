/** Starts the device of a job and collects its errors. */
import { type BackendChoice, startBackend } from '../src/backend/index.ts';
import type { BackendName } from '../src/config/index.ts';

export interface Started {
  device: Omit<BackendChoice, 'reason'>;
  /** Errors that the device has reported. A reader may remove those that it has handled. */
  errors: string[];
  lost: () => boolean;
  /** Throws the first error: times from a device that rejected commands are meaningless. */
  check: () => void;
}

export async function startDevice(backend: BackendName): Promise<Started> {
  const errors: string[] = [];
  let lost = false;
  const device = await startBackend(backend, {
    lost: (reason) => {
      lost = true;
      errors.push(`The GPU device was lost: ${reason}.`);
    },
    error: (message) => errors.push(message),
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
