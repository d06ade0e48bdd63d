/** Types, tables and one collection that several rooms share. Imports nothing of ours. */
export * from './batch.ts';
export * from './conversations.ts';
export * from './evaluation.ts';
export * from './inside_step.ts';
export * from './lazy_map.ts';
export * from './metrics.ts';
export * from './missing_part.ts';
export * from './own_metrics.ts';
export * from './random_id.ts';
export * from './run.ts';
export * from './run_files.ts';
export * from './samples.ts';
export * from './mesh.ts';
export * from './ranks.ts';
export type * from './reducer_messages.ts';
