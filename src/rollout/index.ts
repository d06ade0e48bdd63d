/** Batches of answers for reinforcement learning and evaluation. */
export { Rollouts, type RolloutSizes } from './rollouts.ts';
export type * from './types.ts';
