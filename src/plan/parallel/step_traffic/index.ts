/** Bytes that each rank of the lab sends in a step. */
export type { StepTraffic } from './passes.ts';
export * from './step_kind.ts';
export * from './step_traffic.ts';
