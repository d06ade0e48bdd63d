/** Facts about a run that page, worker and checkpoint share. */

/** Why a run finished. */
export type FinishReason =
  'max_iters' | 'max_tokens' | 'max_seconds' | 'early_stopping' | 'stopped';

/** Why a generation ended: end of text, length limit, or cancelled by the user. */
export type GenerationEnd = 'stop' | 'length' | 'cancelled';

/** How the lines of a table become fields. `lines`: one column, each line is a field. */
export const TABLE_FORMATS = ['comma', 'semicolon', 'tab', 'tab_quoted', 'lines'] as const;
export type TableFormat = (typeof TABLE_FORMATS)[number];

/** A column of every table: the row as a whole. */
export const WHOLE_ROWS = '*';

/** Text that the user supplied, and how to read it. */
export interface OwnText {
  name: string;
  bytes: Uint8Array;
  /** The files whose contents `bytes` has, one after the other, if there are several. */
  files?: readonly { name: string; bytes: number }[];
  /** The text column of a table, or WHOLE_ROWS; absent until the user chooses one. */
  column?: string;
  /** Absent until the user chooses one; then it counts where the file can be read so. */
  format?: TableFormat;
  /** Keep documents that repeat another one. */
  keep_repeats?: boolean;
  /** Halves of surrogate pairs that were replaced before `bytes` was encoded. */
  replaced?: number;
}

/** One way to read a table. */
export interface TableReading {
  format: TableFormat;
  /** Documents. */
  rows: number;
  columns: string[];
  /** The first rows, one per line, with a line between columns. */
  preview: string;
}

/** How a table was read. */
export interface TableFacts {
  /** All columns; WHOLE_ROWS can be chosen beside them. */
  columns: string[];
  /** The column that was read: the one that the user chose, or the one with the most text. */
  column: string;
  /** Null for JSON Lines. */
  format: TableFormat | null;
  /** The ways to read it, if there are several that make sense; else empty. */
  readings: TableReading[];
}

/** Bytes in the browser's storage. */
export interface StorageUse {
  used: number;
  quota: number | null;
  persistent: boolean;
  /** False where the browser refuses storage, so nothing outlives the tab. */
  available: boolean;
  /** The limit on all runs that the user has set, in bytes; null if there is none. */
  budget: number | null;
}

/** Where the starting weights of a run came from. */
export type Parent =
  { kind: 'run'; run: string; name: string; step: number } | { kind: 'imported'; name: string };

/**
 * How a corpus becomes training and validation text. 1: documents keep the order of the corpus.
 * 2: independent documents are shuffled.
 */
export type SplitVersion = 1 | 2;

/** What a run is about, beyond its configuration. */
export interface Lineage {
  /** Name of the objective in `objectives/`. */
  objective: string;
  /** Null for a run that started from randomly initialised weights. */
  parent: Parent | null;
  /** The training text as the user knows it: the corpus, or the name of their file. */
  dataset: string;
  /** Absent means 1: runs of earlier versions continue in the order that they were trained in. */
  split_version?: SplitVersion;
}

/** Dynamic loss scale of mixed precision, as a checkpoint keeps it. */
export interface LossScaleState {
  /** A power of two. */
  scale: number;
  /** Updates since the scale last changed. */
  clean_steps: number;
  /** Updates skipped because of an overflow; Adam's bias correction does not count them. */
  skipped_updates: number;
}

/** Moments that an optimizer may keep of a parameter, named as in PyTorch's optimizer state. */
export const MOMENTS = ['exp_avg', 'exp_avg_sq', 'momentum_buffer'] as const;
export type Moment = (typeof MOMENTS)[number];

/** What the data panel shows about a text. */
export interface DataSummary {
  name: string;
  source: string;
  documents: number;
  duplicates_removed: number;
  /** UTF-8 bytes of the documents, without duplicates and separators. */
  bytes: number;
  /** Code points of the same. */
  characters: number;
  train_documents: number;
  val_documents: number;
  train_tokens: number;
  val_tokens: number;
  vocab_size: number;
  tokenizer_kind: string;
  sample: string;
  /** How the table was read; null for plain text. */
  table: TableFacts | null;
  /** What was changed while reading, in sentences. */
  notes: string[];
  /** Validation loss of a uniform guess, nats per token. */
  uniform_loss: number;
  /** Validation loss of a bigram model, nats per token; null where there is too little text. */
  bigram_loss: number | null;
}
