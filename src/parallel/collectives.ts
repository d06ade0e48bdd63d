/**
 * Collectives among a group of ranks, by the names of torch.distributed. Values pass through the
 * host, because devices of different workers share no memory.
 *
 * Sums are added up in the order of the ranks, whatever the sizes of the messages: a reduce-scatter
 * sends each slice to its owner, who adds the slices of rank 0, 1, 2, ... That takes as many bytes
 * as a ring, (N - 1) / N of the values a rank, but a ring adds each slice in another order, so that
 * its sums would depend on how values are cut into buckets. An all-reduce is a reduce-scatter and an
 * all-gather (Rabenseifner 2004).
 */
import { concatenate } from './concatenate.ts';
import { type Link, type Message, now, type Payload } from './transport/link.ts';
import type { CollectiveKind, Recorder } from './traffic.ts';

/**
 * The ranks that take part in a collective, seen from one of them. Every member calls the same methods
 * in the same order, with the same `tag` for the same collective: several may be in flight at once,
 * and the tag tells their messages apart. Every method that waits throws RankLost if a member is gone
 * or does not answer.
 */
export class Group {
  /** Index of this rank in `ranks`. */
  readonly index: number;

  /** `ranks` are the members, in the order in which sums are added up. */
  constructor(
    readonly ranks: readonly number[],
    readonly link: Link,
    readonly recorder: Recorder,
  ) {
    this.index = ranks.indexOf(link.rank);
  }

  get size(): number {
    return this.ranks.length;
  }

  /**
   * Sends slice i to member i, and returns the sum of the slices that all members sent to this one
   * [length of this member's slice]. Slice i must have the same length on every member.
   */
  async reduceScatter(
    slices: readonly Float32Array[],
    tag: string,
    kind: CollectiveKind = 'reduce_scatter',
  ): Promise<Float32Array<ArrayBuffer>> {
    const began = now();
    this.#forEachOther((rank, i) => this.#send(kind, rank, tag, copyOf(slices[i])));
    const own = { data: copyOf(slices[this.index]), sent: began };
    const parts = await this.#receiveFromOthers(own, tag);
    const sum = addInOrder(parts.map(({ data }) => data));
    const bytes = slices.reduce((total, { byteLength }) => total + byteLength, 0);
    this.#finish(`${kind} ${tag}`, began, parts, bytes);
    return sum;
  }

  /** The values of every member, in the order of `ranks`. Takes ownership of `values`. */
  async allGather<T extends Payload>(
    values: T,
    tag: string,
    kind: CollectiveKind = 'all_gather',
  ): Promise<Payload[]> {
    const began = now();
    this.#forEachOther((rank) => this.#send(kind, rank, tag, values.slice()));
    const parts = await this.#receiveFromOthers({ data: values, sent: began }, tag);
    const bytes = parts.reduce((total, { data }) => total + data.byteLength, 0);
    this.#finish(`${kind} ${tag}`, began, parts, bytes);
    return parts.map(({ data }) => data);
  }

  /** The sum over all members, bit for bit the same on each of them [length of `values`]. */
  async allReduce(values: Float32Array, tag: string): Promise<Float32Array<ArrayBuffer>> {
    if (this.size === 1) return copyOf(values);
    const slices = evenSlices(values, this.size);
    const sum = await this.reduceScatter(slices, tag, 'all_reduce');
    return concatenate(await this.allGather(sum, tag, 'all_reduce'));
  }

  /**
   * The sum over all members [length of `values`], for small arrays: every member sends all of its
   * values to every other, which takes one message instead of the two of `allReduce`.
   */
  async sum(values: Float32Array, tag: string): Promise<Float32Array<ArrayBuffer>> {
    return addInOrder(await this.allGather(copyOf(values), tag, 'all_reduce'));
  }

  /**
   * The sum of the arrays that are not empty, on the member with index `root`; null on the others.
   * Takes ownership of `values`.
   */
  async gatherSum(
    values: Float32Array<ArrayBuffer>,
    root: number,
    tag: string,
  ): Promise<Float32Array<ArrayBuffer> | null> {
    const began = now();
    if (this.index !== root) {
      this.#send('send_recv', this.#rankOf(root), tag, values);
      return null;
    }
    const parts = await this.#receiveFromOthers({ data: values, sent: began }, tag);
    this.#finish(`gather ${tag}`, began, parts);
    return addInOrder(parts.map(({ data }) => data).filter(({ length }) => length > 0));
  }

  /** The values that the member with index `root` passes; the others pass null. */
  async broadcast(values: Payload | null, root: number, tag: string): Promise<Payload> {
    const began = now();
    if (this.index === root) {
      if (!values) throw new Error('The root of a broadcast has to give the values.');
      this.#forEachOther((rank) => this.#send('broadcast', rank, tag, values.slice()));
      this.#finish(`broadcast ${tag}`, began, []);
      return values;
    }
    const message = await this.link.receive(this.#rankOf(root), tag);
    this.#finish(`broadcast ${tag}`, began, [message]);
    return message.data;
  }

  /** Sends values to the member with this index without waiting. Takes ownership of `values`. */
  send(values: Payload, to: number, tag: string): void {
    this.#send('send_recv', this.#rankOf(to), tag, values);
  }

  /** The next values with this tag from the member with this index. */
  async receive(from: number, tag: string): Promise<Payload> {
    const began = now();
    const message = await this.link.receive(this.#rankOf(from), tag);
    this.#finish(`receive ${tag}`, began, [message]);
    return message.data;
  }

  #rankOf(index: number): number {
    const rank = this.ranks[index];
    if (rank === undefined) throw new RangeError(`This group has no member ${index}.`);
    return rank;
  }

  #forEachOther(visit: (rank: number, index: number) => void): void {
    this.ranks.forEach((rank, i) => {
      if (i !== this.index) visit(rank, i);
    });
  }

  /** One message of every member in the order of `ranks`, with `own` in the place of this member's. */
  #receiveFromOthers(own: Message, tag: string): Promise<Message[]> {
    return Promise.all(
      this.ranks.map(async (rank, i) => (i === this.index ? own : this.link.receive(rank, tag))),
    );
  }

  #send(kind: CollectiveKind, to: number, tag: string, data: Payload): void {
    this.recorder.sent(kind, data.byteLength);
    this.link.send(to, tag, data);
  }

  /**
   * Records the time of a collective: waiting for the slowest member until it sent its message, and
   * communicating from then on.
   */
  #finish(
    what: string,
    began: number,
    messages: readonly { sent: number }[],
    bytes?: number,
  ): void {
    const end = now();
    const lastSent = Math.max(began, ...messages.map(({ sent }) => sent));
    const waitEnd = Math.min(end, lastSent);
    this.recorder.span({ kind: 'wait', what, start: began, end: waitEnd });
    this.recorder.span({ kind: 'communicate', what, bytes, start: waitEnd, end });
  }
}

/** Consecutive slices of `values`, all of one length but the last ones, as views of it. */
export function evenSlices(values: Float32Array, count: number): Float32Array[] {
  const length = Math.ceil(values.length / count);
  return Array.from({ length: count }, (_, i) => values.subarray(i * length, (i + 1) * length));
}

/** ((a + b) + c) + ..., each sum rounded to float32 [length of the first part]. */
function addInOrder(parts: readonly Payload[]): Float32Array<ArrayBuffer> {
  const [first, ...rest] = parts;
  const sum = Float32Array.from(first ?? []);
  for (const part of rest) {
    for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (part[i] ?? 0);
  }
  return sum;
}

function copyOf(values: Float32Array | undefined): Float32Array<ArrayBuffer> {
  return new Float32Array(values ?? []);
}
