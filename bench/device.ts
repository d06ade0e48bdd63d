/** What every job of the bench begins with. */
import { type BackendChoice, startBackend } from '../src/backend/index.ts';
import type { BackendName } from '../src/config/index.ts';

export interface Started {
  device: Omit<BackendChoice, 'reason'>;
  /** What the device has complained of since; whoever reads them may empty the list. */
  errors: string[];
  lost: () => boolean;
  /** Throws the first complaint: figures of a device that refused commands are worth nothing. */
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
