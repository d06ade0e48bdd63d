/** Training on many ranks, by arithmetic alone: memory, traffic, time, and a search over meshes. */
export * from './check.ts';
export * from './fleets.ts';
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
export * from './step_time.ts';
export * from './traffic.ts';
export * from './training.ts';
