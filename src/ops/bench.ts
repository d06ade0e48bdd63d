/** Entries of the micro-benchmark (`npm run bench:ops`), which times each operation by itself. */

/** The sizes of a training step, from a configuration of the bench. */
export interface BenchSizes {
  /** Sequences, tokens per sequence, and their product. */
  B: number;
  T: number;
  N: number;
  /** Width of the residual stream, width of the feed-forward block, and size of the vocabulary. */
  D: number;
  F: number;
  V: number;
  /** Attention heads and their width; every query head has its own key/value head. */
  n_head: number;
  head_dim: number;
  /** Parameters of the model. */
  P: number;
}

export interface BenchInput {
  shape: readonly number[];
  dtype: 'float32' | 'int32';
  /** Creates the values; called when the entry is measured. */
  values: () => Float32Array | Int32Array;
}

/** Creates inputs of entries. Random values are the same in every run. */
export interface BenchInputs {
  normal(...shape: number[]): BenchInput;
  full(value: number, ...shape: number[]): BenchInput;
  float32(values: readonly number[]): BenchInput;
  /** Int32 values by flat index. */
  int32(shape: readonly number[], value: (i: number) => number): BenchInput;
  /** `n` random token ids below `vocab_size`. */
  tokens(n: number, vocab_size: number): BenchInput;
}

export interface OpBench<I extends string, A> {
  /** What distinguishes the entry from others of the operation; by default, shapes of its inputs. */
  title?: string;
  inputs: Record<I, BenchInput>;
  attrs: A;
  /** Floating-point operations, if they and not bytes determine the time. */
  flops?: number;
}

/** The entries of an operation at the given sizes. */
export type OpBenches<I extends string, A> = (
  sizes: BenchSizes,
  inputs: BenchInputs,
) => readonly OpBench<I, A>[];
