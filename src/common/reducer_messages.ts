/** Messages between a rank and the thread that adds up buckets of gradients for it. */
import type { BytesSent, Span } from './ranks.ts';

/** A bucket that is added up over the ranks. */
export interface ReduceRequest {
  /** What each rank owns, in order. Taken over. */
  slices: Float32Array<ArrayBuffer>[];
  /** The same on all ranks; buckets are reduced in the same order on all of them. */
  tag: string;
  /** Whether every rank gets all sums (an all-reduce), or each those that it owns. */
  gathers: boolean;
}

export interface ReducedBucket {
  /** The sums of all ranks' slices in order, or only those that this rank owns. */
  parts: Float32Array<ArrayBuffer>[];
  /** What another thread has sent and spent its time on; this thread's is in its recorder already. */
  report?: { bytes: BytesSent; spans: Span[] };
}

export type ToReducer =
  /** Adds up a bucket; answered by `reduced` or `failed`. `patience`: see PortLinkOptions. */
  | ({ type: 'reduce'; id: number; patience: number } & ReduceRequest)
  /** Another rank is gone: what waits for it fails. */
  | { type: 'rank_gone'; rank: number; why: string };

export type FromReducer =
  | ({ type: 'reduced'; id: number } & ReducedBucket)
  /** `lost` is the rank that is gone or does not answer; null for another error. */
  | { type: 'failed'; id: number; message: string; lost: { rank: number; why: string } | null };

/** What the thread is told first. */
export interface OpenReducer<Port = MessagePort> {
  rank: number;
  /** The ranks with other rows, in the order in which sums are added up. */
  ranks: readonly number[];
  /** To the threads of the other ranks. */
  ports: readonly { rank: number; port: Port }[];
}
