/** What commands and events carry. All of it is plain data that structured clone can copy. */
import type {
  BestCheckpoint,
  Lineage,
  OwnText,
  RunView,
  Sample,
  WeightsChoice,
} from '../common/index.ts';
import type { BackendName, RunConfig } from '../config/index.ts';
import type { StageConfig } from '../config/stage/index.ts';

export type {
  BestCheckpoint,
  DataSummary,
  FinishReason,
  GenerationEnd,
  Lineage,
  MetricColumns,
  OwnText,
  Parent,
  RunView,
  Sample,
  StorageUse,
  TableFacts,
  TableFormat,
  TableReading,
  TokenPiece,
  ViewValue,
  ExportChoice,
  WeightsChoice,
} from '../common/index.ts';

export type RunPhase =
  | 'idle'
  | 'preparing'
  | 'compiling'
  | 'training'
  | 'paused'
  | 'evaluating'
  | 'sampling'
  | 'saving'
  | 'done'
  | 'failed'
  | 'recovering';

export interface DeviceInfo {
  backend: BackendName;
  /** Why this backend and not a faster one, one sentence. */
  reason: string;
  adapter: string;
  limits: { max_buffer_size: number; max_binding_size: number; workgroup_storage: number };
  features: string[];
  /** Bytes available to a run where that is known: the heap's limit (wasm, cpu); otherwise null. */
  memory_bytes?: number | null;
  /** Of our engine on the processor: the threads in use, and the most that can be used here. */
  threads?: { count: number; most: number };
}

/** The number formats that a run computes in. */
export interface PrecisionInfo {
  mixed_precision: RunConfig['training']['mixed_precision'];
  subgroup_matrices: boolean;
  /** Why float16 was requested and is not used, one sentence; null otherwise. */
  reason: string | null;
}

/** A failure as the page shows it: one sentence on what happened, one on what to do about it. */
export interface PlainError {
  code: string;
  message: string;
  hint: string;
  action?: 'export' | 'resume' | 'resume_lower_lr' | 'reload' | 'free_storage' | 'change_config';
  field?: string;
}

/** What may fail while a run trains on: each has an error of its own. */
export type Concern = 'save' | 'metrics' | 'samples';

/** A run that was saved at this step and closed. */
export interface ReleasedRun {
  run: string;
  name: string;
  step: number;
}

/** One saved run, as the library lists it. Times in milliseconds since 1970. */
export interface RunRecord {
  run: string;
  name: string;
  created: number;
  updated: number;
  step: number;
  max_iters: number;
  /** The best one so far. */
  val_loss: number | null;
  last_val_loss: number | null;
  n_params: number;
  /** All files of the run. */
  bytes: number;
  config: RunConfig;
  /** Open in this or another tab. */
  locked: boolean;
  /** A checkpoint was saved. */
  resumable: boolean;
  lineage: Lineage;
  /** The best checkpoint, if it is kept apart from the last one. */
  best?: BestCheckpoint | null;
  /** Settings of a stage after pretraining; null or absent for pretraining. */
  stage?: StageConfig | null;
  /** Votes on answers of this model; absent means none. */
  votes?: number;
}

/** The recipe of a run as the form had it. */
export interface RunRecipe {
  /** Id of the preset that the recipe was made from, or null. */
  preset: string | null;
  /** What the form measures changes against. */
  base: RunConfig;
  /** File name of the tokenizer.json that the user opened, if the recipe imports one. */
  tokenizer_name: string | null;
}

/** What a run that was opened again brings back to the page. */
export interface RestoredRun {
  samples: Sample[];
  view: RunView | null;
  recipe: RunRecipe | null;
  /** The user's own text, if the run trains on it. */
  text: OwnText | null;
  /** The tokenizer.json of a run that imported one. */
  tokenizer_json: string | null;
}

/** A run that was deleted and can be restored. `deleted` is in milliseconds since 1970. */
export interface DeletedRecord {
  run: string;
  name: string;
  deleted: number;
  bytes: number;
}

/**
 * How the steps of a comparison run: our fused kernels as replayed programs, our fused kernels one
 * operation at a time (both on WebGPU and on the processor), our model in TensorFlow.js's operations, or the published
 * TensorFlow.js with its own gradients and optimizer, in a worker of its own (worker/stock).
 */
export type CompareMode = 'replayed' | 'op_by_op' | 'plain' | 'stock';

export interface ComparisonRow {
  backend: BackendName;
  mode: CompareMode;
  steps: number;
  ms_per_step: number;
  tokens_per_second: number;
  /** Kernels and queue submits per step; null where they are not counted. */
  dispatches_per_step: number | null;
  submits_per_step: number | null;
  /** Memory of the GPU, or of the engine on the processor; null where it is not counted. */
  gpu_bytes: number | null;
  losses: number[];
  /** Dropout masks were not drawn by this page, so the losses cannot be compared with other rows'. */
  own_dropout?: true;
  error?: string;
}

/**
 * Stages between Train and the first loss: the device is open, the text is encoded, the run has its
 * place in storage, the programs are traced, their kernels are compiled.
 */
export type StartMark = 'device' | 'prepared' | 'stored' | 'traced' | 'compiled';

/** What a training step spends its time on. `optimizer` is the whole update program. */
export type KernelKind =
  'products' | 'attention' | 'norms' | 'cross_entropy' | 'optimizer' | 'other';

export interface StepProfile {
  /** The step after which it was measured. */
  step: number;
  /** Wall-clock time of one step, milliseconds. */
  step_ms: number;
  /**
   * GPU time by kind, milliseconds, longest first; null where the device has no timestamps. `flops`
   * counts those of matrix products.
   */
  kinds: { kind: KernelKind; ms: number; dispatches: number; flops: number | null }[] | null;
  /** The kernels that take the most time. */
  kernels: { kernel: string; ms: number; dispatches: number }[];
  /** The highest rate measured on this device, and the size of the square matrices multiplied. */
  peak: { flops_per_second: number; size: number } | null;
}

export interface ImportedFile {
  path: string;
  bytes: Uint8Array;
}

/** Where the initial weights of a new run come from: a saved run, or an imported folder. */
export type ParentSource =
  { run: string; weights?: WeightsChoice } | { name: string; files: ImportedFile[] };

/** Text and tokenizer that the user opened, if the configuration names them. */
export interface OpenedFiles {
  text?: OwnText | undefined;
  tokenizer_json?: string | undefined;
}
