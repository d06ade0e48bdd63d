/** Starts a backend unless it is the current one already, so that compiled pipelines are reused. */
import { startBackend } from '../backend/index.ts';

type BackendName = Parameters<typeof startBackend>[0];

let started: BackendName | null = null;

/** Only for test files that start backends in no other way. */
export async function startOnce(backend: BackendName): Promise<void> {
  if (started !== backend) await startBackend(backend);
  started = backend;
}
