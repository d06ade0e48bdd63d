/**
 * What the page and the worker say to each other. The page sends a Command, the worker sends
 * Events; both are plain data that structured clone can carry. Typed arrays of metric columns are
 * transferred.
 */
import type {
  DataSummary,
  FinishReason,
  GenerationEnd,
  MetricColumns,
  OwnText,
  StorageUse,
} from '../common/index.ts';
import type { BackendName, RunConfig, RuntimeConfig, SamplingConfig } from '../config/index.ts';

export type {
  DataSummary,
  FinishReason,
  GenerationEnd,
  MetricColumns,
  OwnText,
  StorageUse,
} from '../common/index.ts';

export type Command =
  /** Starts a backend without a run: answers `device` and, where asked, `calibration`. */
  | { type: 'open'; backend: RuntimeConfig['backend']; calibrate: boolean }
  /**
   * Answered by the port itself (`pong`), so that the page can tell a busy worker from a dead one.
   */
  | { type: 'ping'; id: number }
  /** Reads and splits the text and trains the tokenizer, without a model: answers `data`. */
  | { type: 'prepare'; config: RunConfig; text?: OwnText; tokenizer_json?: string }
  /** Starts a run from new weights, or from a checkpoint in storage (`resume`). */
  | {
      type: 'start';
      run: string;
      name: string;
      config: RunConfig;
      text?: OwnText;
      tokenizer_json?: string;
      paused?: boolean;
    }
  | {
      type: 'resume';
      run: string;
      learning_rate?: number;
      paused?: boolean;
      backend?: RuntimeConfig['backend'];
    }
  /** Goes on from a checkpoint that the person brought: a zip, or a Hugging Face folder's files. */
  | {
      type: 'import';
      run: string;
      name: string;
      files: { path: string; bytes: Uint8Array }[];
      config?: RunConfig;
      text?: OwnText;
    }
  | { type: 'train' }
  | { type: 'pause' }
  | { type: 'step' }
  | { type: 'stop' }
  | { type: 'save' }
  | { type: 'set_learning_rate'; learning_rate: number }
  | { type: 'set_sampling'; sampling: SamplingConfig }
  | { type: 'generate'; id: number; prompt: string; sampling: SamplingConfig }
  | { type: 'stop_generation'; id: number }
  | { type: 'tokenize'; id: number; text: string }
  | { type: 'export'; id: number }
  /** The library of saved runs: each answers with `runs`. */
  | { type: 'list_runs' }
  | { type: 'rename_run'; run: string; name: string }
  | { type: 'duplicate_run'; run: string; name: string }
  | { type: 'delete_run'; run: string }
  /** Metrics of a saved run, to be laid under the present one: answers `history`. */
  | { type: 'load_history'; run: string }
  | { type: 'cancel' }
  /**
   * Same seed and configuration on this worker's backend for a number of steps: answers
   * `comparison`.
   */
  | {
      type: 'compare';
      config: RunConfig;
      mode: CompareMode;
      steps: number;
      text?: OwnText;
      tokenizer_json?: string;
    }
  /**
   * Measures one training step of the run at hand, which then goes on as if nothing had been:
   * answers `profile`.
   */
  | { type: 'profile' }
  /** For tests of bad luck only: loses the GPU device as a driver would. */
  | { type: 'lose_device' };

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
  /**
   * Bytes that the device can give to a run, as far as that can be known: the heap's limit (wasm,
   * cpu), else null.
   */
  memory_bytes?: number | null;
}

/** What a run computes in. */
export interface PrecisionInfo {
  mixed_precision: RunConfig['training']['mixed_precision'];
  subgroup_matrices: boolean;
  /** Where half precision was asked for and is not used: why, one sentence. */
  reason: string | null;
}

/**
 * A failure as the page shows it: one sentence of what happened, one of what to do, and whether
 * what was saved is safe.
 */
export interface PlainError {
  code: string;
  message: string;
  hint: string;
  action?: 'resume' | 'resume_lower_lr' | 'reload' | 'free_storage' | 'change_config';
  field?: string;
}

export interface TokenPiece {
  id: number;
  text: string;
  /** Probability under the model before temperature and truncation. */
  probability: number;
  /** The likeliest other tokens, for the hover. */
  rivals: { text: string; probability: number }[];
}

export interface Sample {
  step: number;
  prompt: string;
  tokens: TokenPiece[];
  /** Stands word for word in the training text. */
  memorized: boolean;
  /**
   * Why there is none: the prompt cannot be read, one sentence with what to do about it. There are
   * no tokens then.
   */
  problem?: string;
}

/** One saved run, as the index in storage lists it. */
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
  /** Held by this or another tab (Web Locks). */
  locked: boolean;
  /** Has a checkpoint that opens. */
  resumable: boolean;
}

/**
 * How the steps of a comparison run: by our fused kernels, as programs that are replayed or each
 * operation by itself (both on WebGPU alone), or by TensorFlow.js's own operations.
 */
export type CompareMode = 'replayed' | 'op_by_op' | 'plain';

export interface ComparisonRow {
  backend: BackendName;
  mode: CompareMode;
  steps: number;
  ms_per_step: number;
  tokens_per_second: number;
  /** Kernels started a step, and calls of the queue's submit that started them; null off WebGPU. */
  dispatches_per_step: number | null;
  submits_per_step: number | null;
  gpu_bytes: number | null;
  losses: number[];
  error?: string;
}

/**
 * Moments between Train and the first loss: the device is there, the text is encoded, the run has
 * its place in storage, the programs are traced, their kernels compiled.
 */
export type StartMark = 'device' | 'prepared' | 'stored' | 'traced' | 'compiled';

/**
 * What a training step spends its time on; the optimizer is all of the update, whatever it consists
 * of.
 */
export type KernelKind =
  'products' | 'attention' | 'norms' | 'cross_entropy' | 'optimizer' | 'other';

export interface StepProfile {
  /** The step after which it was measured. */
  step: number;
  /** One step by the clock on the wall, milliseconds. */
  step_ms: number;
  /**
   * GPU time by kind, milliseconds, the longest first; null where the device has no timestamps.
   * `flops` counts what products do.
   */
  kinds: { kind: KernelKind; ms: number; dispatches: number; flops: number | null }[] | null;
  /** The kernels that take longest. */
  kernels: { kernel: string; ms: number; dispatches: number }[];
  /** The fastest product of two square matrices measured here, and their size. */
  peak: { flops_per_second: number; size: number } | null;
}

export type Event =
  | { type: 'device'; device: DeviceInfo }
  | { type: 'pong'; id: number }
  /**
   * What a second of trying says of this device: fused multiply-adds count as two; the overhead is
   * that of one step.
   */
  | { type: 'calibration'; flops_per_second: number; step_overhead_ms: number }
  /** `at`: milliseconds since 1970, so that page and worker mean the same. */
  | { type: 'mark'; mark: StartMark; at: number }
  | { type: 'phase'; phase: RunPhase; detail: string; progress: number | null }
  | { type: 'data'; data: DataSummary }
  | {
      type: 'started';
      run: string;
      name: string;
      config: RunConfig;
      step: number;
      n_params: number;
      planned_bytes: number;
      precision: PrecisionInfo;
      history: MetricColumns | null;
    }
  /**
   * Columns of metrics since the last flush; arrays of one length, NaN where a metric was not
   * measured at that step.
   */
  | { type: 'metrics'; columns: MetricColumns }
  | { type: 'sample'; sample: Sample }
  | { type: 'token'; id: number; pieces: TokenPiece[] }
  | { type: 'generation_done'; id: number; reason: GenerationEnd }
  | { type: 'tokens'; id: number; pieces: { id: number; text: string }[] }
  | { type: 'saved'; run: string; step: number; bytes: number }
  | { type: 'exported'; id: number; name: string; bytes: Uint8Array }
  | { type: 'runs'; runs: RunRecord[]; storage: StorageUse }
  | { type: 'history'; run: string; columns: MetricColumns }
  | { type: 'comparison'; row: ComparisonRow }
  /** Null where there is nothing to measure yet; `why` is then one sentence. */
  | { type: 'profile'; profile: StepProfile | null; why: string }
  | { type: 'notice'; message: string }
  | { type: 'error'; error: PlainError }
  | {
      type: 'finished';
      step: number;
      reason: FinishReason;
    };
