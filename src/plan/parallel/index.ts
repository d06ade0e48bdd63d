/**
 * Training on many ranks, by arithmetic alone: nothing here computes a model. In an order in which to read:
 *
 * - `mesh.ts`, `training.ts`: what is planned. `check.ts` says which meshes are impossible, and
 *   `lab_check.ts` which ones the ranks of this page cannot train.
 * - Memory of a rank, `rank_memory.ts`: its parameters (`rank_parameters.ts`), activations
 *   (`rank_activations.ts`, `in_flight.ts`, `waiting_memory.ts`), gathered weights (`gathered_memory.ts`)
 *   and Muon's matrices (`muon_memory.ts`). Stages after pretraining: `stage_rank_memory.ts`.
 * - Bytes sent (`traffic.ts`) and seconds of a step (`step_time.ts`, `overlap.ts`); `mesh_plan.ts` puts
 *   them together, and `search.ts` compares meshes for a fleet (`fleets.ts`).
 * - `pipeline_schedule.ts`: the schedules that pipelines follow and that the lab draws.
 */
export * from './check.ts';
export * from './fleets.ts';
export * from './in_flight.ts';
export * from './lab_check.ts';
export * from './mesh.ts';
export * from './mesh_plan.ts';
export * from './model_json.ts';
export * from './overlap.ts';
export * from './pipeline_schedule.ts';
export * from './published.ts';
export * from './rank_activations.ts';
export * from './rank_memory.ts';
export * from './rank_parameters.ts';
export * from './search.ts';
export * from './stage_rank_memory.ts';
export * from './step_time.ts';
export * from './step_traffic/index.ts';
export * from './traffic.ts';
export * from './training.ts';
