/**
 * Picks and starts a tfjs backend, and everything that touches the GPU device: buffers and their count, dispatches,
 * traced programs, read-back. The one room that knows tfjs's private members (`tfjs_private.ts`).
 */
export * from './dispatch.ts';
export * from './start.ts';
export * from './storage.ts';
