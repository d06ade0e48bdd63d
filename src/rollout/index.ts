/** Batches of answers for reinforcement learning and evaluation. */
export type * from './types.ts';
