export { CheckpointError, type CheckpointErrorCode } from './error.ts';
export { writeCheckpoint, readCheckpoint, describeExport } from './checkpoint.ts';
export type {
  CheckpointState,
  ObjectiveTensor,
  ReadState,
  WriteOptions,
} from './checkpoint_state.ts';
export { DEFAULT_LINEAGE } from './lineage.ts';
export { tokenizerBytes, type TokenizerSource } from './tokenizer_files.ts';
export { openRunStore } from './store/open_store.ts';
export { RunStore, type NewRun, type StoredRun } from './store/run_store.ts';
export { prune, type Pruned } from './store/prune.ts';
export type { JobOptions } from './store/backup.ts';
export type { OpenRun, LoadedCheckpoint } from './store/open_run.ts';
export { MetricsWriter } from './store/metrics_writer.ts';
export { zipFolder } from './zip.ts';
export { unzipFolder } from './unzip.ts';
export type { Files } from './folder.ts';
export { extraFiles, splitExport, type BroughtRun, type RunExtras } from './run_extras.ts';
export { broughtFiles, type BroughtFile } from './brought.ts';
export { readRecords, recordLines, TRAINING_VOTES, VOTES } from './record_lines.ts';
export type { KeptRecords, RecordFile } from './store/record_file.ts';
export type { RunRecords } from './store/run_records.ts';
