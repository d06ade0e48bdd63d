export { CheckpointError, type CheckpointErrorCode } from './error.ts';
export { writeCheckpoint, readCheckpoint, describeExport, type CheckpointState, type ReadState, type WriteOptions } from './checkpoint.ts';
export type { MetricColumns } from './metric_columns.ts';
export type { TokenizerSource } from './tokenizer_files.ts';
