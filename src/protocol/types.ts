/** What commands and events carry. All of it is plain data that structured clone can copy. */
import type { Lineage } from '../common/index.ts';
import type { BackendName, RunConfig } from '../config/index.ts';

export type {
  DataSummary,
  FinishReason,
  GenerationEnd,
  Lineage,
  MetricColumns,
  OwnText,
  Parent,
  StorageUse,
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

export interface TokenPiece {
  id: number;
  text: string;
  /** Probability under the model before temperature and truncation. */
  probability: number;
  /** The most probable other tokens. */
  rivals: { text: string; probability: number }[];
}

export interface Sample {
  step: number;
  prompt: string;
  tokens: TokenPiece[];
  /** Occurs word for word in the training text. */
  memorized: boolean;
  /** Why the prompt cannot be encoded, one sentence; there are no tokens then. */
  problem?: string;
}

/** One saved run, as the library lists it. Times in milliseconds since 1970. */
export interface RunRecord {
  run: string;
  name: string;
  created: number;
  updated: number;
  step: number;
  max_iters: number;
  val_loss: number | null;
  n_params: number;
  bytes: number;
  config: RunConfig;
  /** Open in this or another tab. */
  locked: boolean;
  /** A checkpoint was saved. */
  resumable: boolean;
  lineage: Lineage;
}

/**
 * How the steps of a comparison run: our fused kernels as replayed programs, our fused kernels one
 * operation at a time (both on WebGPU only), or TensorFlow.js's own operations.
 */
export type CompareMode = 'replayed' | 'op_by_op' | 'plain';

export interface ComparisonRow {
  backend: BackendName;
  mode: CompareMode;
  steps: number;
  ms_per_step: number;
  tokens_per_second: number;
  /** Dispatches and queue submits per step; null on other backends than WebGPU. */
  dispatches_per_step: number | null;
  submits_per_step: number | null;
  gpu_bytes: number | null;
  losses: number[];
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
