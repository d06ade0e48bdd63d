export * from './address.ts';
export * from './chart.ts';
export * from './client.ts';
export * from './columns.ts';
export * from './compare.ts';
export * from './decimate.ts';
export * from './export.ts';
export * from './form.ts';
export * from './format.ts';
export * from './headless.ts';
export * from './library.ts';
export * from './profile.ts';
export * from './run.ts';
export * from './samples.ts';
export * from './sentence.ts';
export * from './view.ts';
/** The room `ui` speaks to the store alone: what the events carry, it takes from here. */
export type {
  CompareMode,
  ComparisonRow,
  DataSummary,
  DeviceInfo,
  KernelKind,
  OwnText,
  PlainError,
  RunPhase,
  RunRecord,
  Sample,
  StepProfile,
  StorageUse,
  TokenPiece,
} from '../protocol/index.ts';
