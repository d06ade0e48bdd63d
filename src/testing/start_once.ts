/** Starts backends for tests. Tests in Node start the engine by `startEngine` of `node_engine.ts`. */
import { startBackend } from '../backend/index.ts';

/** `wasm` is the backend of TensorFlow.js, `processor` is our own engine. */
export type TestedBackend = Parameters<typeof startBackend>[0] | 'processor';

type Events = Parameters<typeof startBackend>[1];

/**
 * Starts a backend, again if it is the current one, with all kernels and on software adapters too.
 *
 * @throws Error if this machine has no such backend
 */
export async function startTested(backend: TestedBackend, events?: Events): Promise<void> {
  const name = backend === 'processor' ? 'wasm' : backend;
  const wasm = backend === 'processor' ? 'engine' : 'tfjs';
  await startBackend(name, events, { kernels: 'all', software: 'allowed', wasm });
}

let started: TestedBackend | null = null;

/**
 * Starts a backend unless it is the current one, so that compiled pipelines are reused. A test file
 * that calls this must start backends in no other way.
 */
export async function startOnce(backend: TestedBackend): Promise<void> {
  if (started !== backend) await startTested(backend);
  started = backend;
}
