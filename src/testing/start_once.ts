/** Starts backends for tests. */
import { startBackend } from '../backend/index.ts';

/** `wasm` is tfjs's own backend here, and `processor` our engine. */
export type TestedBackend = Parameters<typeof startBackend>[0] | 'processor';

type Events = Parameters<typeof startBackend>[1];

export async function startTested(backend: TestedBackend, events?: Events): Promise<void> {
  const name = backend === 'processor' ? 'wasm' : backend;
  const wasm = backend === 'processor' ? 'engine' : 'tfjs';
  await startBackend(name, events, { kernels: 'all', software: 'allowed', wasm });
}

let started: TestedBackend | null = null;

/**
 * Starts a backend unless it is the current one already, so that compiled pipelines are reused. Only
 * for test files that start backends in no other way.
 */
export async function startOnce(backend: TestedBackend): Promise<void> {
  if (started !== backend) await startTested(backend);
  started = backend;
}
