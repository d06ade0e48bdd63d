/** What a rank sends and what it spends its time on. */

/** The collectives, by the names of torch.distributed. */
export type CollectiveKind =
  'all_reduce' | 'reduce_scatter' | 'all_gather' | 'broadcast' | 'send_recv';

/** Bytes that a rank has sent, by kind of collective. */
export type BytesSent = Record<CollectiveKind, number>;

export const noBytes = (): BytesSent => ({
  all_reduce: 0,
  reduce_scatter: 0,
  all_gather: 0,
  broadcast: 0,
  send_recv: 0,
});

/** `wait` is time in which a rank could do nothing but wait for another one. */
export type SpanKind = 'compute' | 'forward' | 'backward' | 'update' | 'communicate' | 'wait';

/** A stretch of a rank's time, in milliseconds of `now()`. */
export interface Span {
  kind: SpanKind;
  /** Such as `reduce_scatter gradients` or `micro-batch 2`. */
  what: string;
  /** Of a pass through a stage of a pipeline. */
  micro_batch?: number;
  chunk?: number;
  start: number;
  end: number;
}

/** Collects bytes and spans of one rank. */
export class Recorder {
  readonly bytes: BytesSent = noBytes();
  #spans: Span[] = [];

  sent(kind: CollectiveKind, bytes: number): void {
    this.bytes[kind] += bytes;
  }

  span(span: Span): void {
    if (span.end > span.start) this.#spans.push(span);
  }

  /** Spans since the last call, in the order in which they ended. */
  takeSpans(): Span[] {
    const spans = this.#spans;
    this.#spans = [];
    return spans;
  }
}
