export { CheckpointError, type CheckpointErrorCode } from './error.ts';
export {
  writeCheckpoint,
  readCheckpoint,
  describeExport,
  type CheckpointState,
  type ReadState,
  type WriteOptions,
} from './checkpoint.ts';
export type { TokenizerSource } from './tokenizer_files.ts';
export { openRunStore } from './store/open_store.ts';
export { RunStore, type StoredRun } from './store/run_store.ts';
export type { OpenRun, LoadedCheckpoint } from './store/open_run.ts';
export { zipFolder, unzipFolder } from './zip.ts';
export { broughtFiles, type BroughtFile } from './brought.ts';
