/** Collects what a rank sends and what it spends its time on. */
import { type BytesSent, type CollectiveKind, COLLECTIVES, type Span } from '../common/index.ts';

export type { BytesSent, CollectiveKind, Span };

export const noBytes = (): BytesSent => ({
  all_reduce: 0,
  reduce_scatter: 0,
  all_gather: 0,
  broadcast: 0,
  send_recv: 0,
});

/** Collects bytes and spans of one rank. */
export class Recorder {
  #bytes: BytesSent = noBytes();
  #spans: Span[] = [];

  sent(kind: CollectiveKind, bytes: number): void {
    this.#bytes[kind] += bytes;
  }

  /** Bytes since the last `take`. */
  get bytes(): Readonly<BytesSent> {
    return this.#bytes;
  }

  span(span: Span): void {
    if (span.end > span.start) this.#spans.push(span);
  }

  /** What another thread of this rank has recorded. */
  add({ bytes, spans }: { bytes: BytesSent; spans: readonly Span[] }): void {
    for (const kind of COLLECTIVES) this.#bytes[kind] += bytes[kind];
    this.#spans.push(...spans);
  }

  /** Bytes and spans since the last call; spans in the order in which they ended. */
  take(): { bytes: BytesSent; spans: Span[] } {
    const taken = { bytes: this.#bytes, spans: this.#spans };
    this.#bytes = noBytes();
    this.#spans = [];
    return taken;
  }
}
