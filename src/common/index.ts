/** Types and tables that several modules share. Imports nothing of ours. */
export * from './batch.ts';
export * from './metrics.ts';
export * from './run.ts';
