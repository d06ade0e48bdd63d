export * from './address.ts';
export * from './chart.ts';
export * from './client.ts';
export * from './client_types.ts';
export * from './columns.ts';
export * from './compare.ts';
export * from './comparison.ts';
export * from './decimate.ts';
export * from './default_name.ts';
export * from './estimate.ts';
export * from './export.ts';
export * from './form.ts';
export * from './format.ts';
export * from './headless.ts';
export * from './library.ts';
export * from './library_client.ts';
export * from './new_run.ts';
export * from './recipe_difference.ts';
export * from './run_status.ts';
export * from './sweep.ts';
export * from './sweep_state.ts';
export * from './sweep_values.ts';
export * from './profile.ts';
export * from './run.ts';
export * from './run_view.ts';
export * from './samples.ts';
export * from './stores.ts';
export * from './suspend.ts';
export * from './threads.ts';
export * from './sentence.ts';
export * from './view.ts';
export * from './write.ts';
export { WHOLE_ROWS } from '../common/index.ts';
/** What events carry: the room `ui` imports it from here, not from the protocol. */
export type {
  BestCheckpoint,
  CompareMode,
  ComparisonRow,
  Concern,
  DataSummary,
  DeletedRecord,
  DeviceInfo,
  ImportedFile,
  KernelKind,
  Lineage,
  OwnText,
  PlainError,
  RunPhase,
  RunRecord,
  Sample,
  StepProfile,
  StorageUse,
  TableFacts,
  TableFormat,
  TableReading,
  TokenPiece,
  ExportChoice,
  WeightsChoice,
} from '../protocol/index.ts';
