/** What a rank of a parallel run reports: its time, what it sent, and the memory that it holds. */

/** The collectives, by the names of torch.distributed. */
export const COLLECTIVES = [
  'all_reduce',
  'reduce_scatter',
  'all_gather',
  'broadcast',
  'send_recv',
] as const;
export type CollectiveKind = (typeof COLLECTIVES)[number];

/** Bytes that a rank has sent, by kind of collective. */
export type BytesSent = Record<CollectiveKind, number>;

/**
 * `compute` is a micro-batch without a pipeline, `wait` time in which a rank could do nothing but
 * wait for another one.
 */
export const SPAN_KINDS = [
  'compute',
  'forward',
  'backward',
  'update',
  'communicate',
  'wait',
] as const;
export type SpanKind = (typeof SPAN_KINDS)[number];

/** A stretch of a rank's time. */
export interface Span {
  kind: SpanKind;
  /** Such as `reduce_scatter gradients` or `micro-batch 2`. */
  what: string;
  /** Of a pass through a stage of a pipeline. */
  micro_batch?: number;
  chunk?: number;
  /** Of the values that a reduce-scatter or an all-gather moves, on this rank. */
  bytes?: number;
  /** Milliseconds since 1970, comparable between the workers of one machine. */
  start: number;
  end: number;
}

/** Bytes that a rank holds between two steps, by kind, and all that it has allocated. */
export interface RankMemory {
  weights: number;
  gradients: number;
  optimizer: number;
  /** Results and constants of programs, and activations that are alive across a boundary. */
  programs: number;
  /** Scratch that programs share: activations and temporaries. */
  scratch: number;
  /** Caches of answers that are sampled, and their programs. */
  rollouts: number;
  /**
   * What sampling has taken at most beside these, and given back: where no rank has all weights, a copy
   * of them and its caches.
   */
  gathered: number;
  /** Everything that this rank has allocated on its device, inputs included. */
  allocated: number;
}

/** One step of one rank. */
export interface RankStep {
  rank: number;
  /** Steps taken, this one included. */
  step: number;
  /** The same on every rank. */
  loss: number;
  grad_norm: number;
  ms: number;
  /** Sent in this step. */
  bytes: BytesSent;
  spans: Span[];
}
