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
import { type Link, now, type Payload } from './transport/link.ts';
import type { CollectiveKind, Recorder } from './traffic.ts';

export class Group {
  /** Index of this rank in the group. */
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
   * Slice i of every member goes to member i, who adds them up. Returns the sum of this member's
   * slices, [length of its slice]. Slices of one member have the lengths that all others use.
   */
  async reduceScatter(
    slices: readonly Float32Array[],
    tag: string,
    kind: CollectiveKind = 'reduce_scatter',
  ): Promise<Float32Array<ArrayBuffer>> {
    const began = now();
    this.#others((rank, i) => this.#send(kind, rank, tag, copyOf(slices[i])));
    const own = copyOf(slices[this.index]);
    const parts = await Promise.all(
      this.ranks.map(async (rank, i) => {
        if (i === this.index) return { data: own, sent: began };
        return this.link.receive(rank, tag);
      }),
    );
    const sum = addInOrder(parts.map(({ data }) => data));
    const bytes = slices.reduce((all, { byteLength }) => all + byteLength, 0);
    this.#finish(`${kind} ${tag}`, began, parts, bytes);
    return sum;
  }

  /** The values of every member, in order. Takes over `values`. */
  async allGather<T extends Payload>(
    values: T,
    tag: string,
    kind: CollectiveKind = 'all_gather',
  ): Promise<Payload[]> {
    const began = now();
    this.#others((rank) => this.#send(kind, rank, tag, values.slice()));
    const parts = await Promise.all(
      this.ranks.map(async (rank, i) => {
        if (i === this.index) return { data: values, sent: began };
        return this.link.receive(rank, tag);
      }),
    );
    const bytes = parts.reduce((all, { data }) => all + data.byteLength, 0);
    this.#finish(`${kind} ${tag}`, began, parts, bytes);
    return parts.map(({ data }) => data);
  }

  /** The sum over all members, the same bits for each of them [length of `values`]. */
  async allReduce(values: Float32Array, tag: string): Promise<Float32Array<ArrayBuffer>> {
    if (this.size === 1) return copyOf(values);
    const slices = evenSlices(values, this.size);
    const sum = await this.reduceScatter(slices, tag, 'all_reduce');
    const parts = await this.allGather(sum, tag, 'all_reduce');
    const result = new Float32Array(values.length);
    let end = 0;
    for (const part of parts) {
      result.set(part, end);
      end += part.length;
    }
    return result;
  }

  /** The sum of arrays of any length, small ones: every member sends all of its values. */
  async sum(values: Float32Array, tag: string): Promise<Float32Array<ArrayBuffer>> {
    return addInOrder(await this.allGather(copyOf(values), tag, 'all_reduce'));
  }

  /**
   * The sum of the arrays that are not empty, at the member with index `root`; null at the others.
   * Takes over `values`.
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
    const parts = await Promise.all(
      this.ranks.map(async (rank, i) => {
        if (i === root) return { data: values, sent: began };
        return this.link.receive(rank, tag);
      }),
    );
    this.#finish(`gather ${tag}`, began, parts);
    return addInOrder(parts.map(({ data }) => data).filter(({ length }) => length > 0));
  }

  /** The values of the member with index `root`, who passes them; the others pass null. */
  async broadcast(values: Payload | null, root: number, tag: string): Promise<Payload> {
    const began = now();
    if (this.index === root) {
      if (!values) throw new Error('The root of a broadcast has to give the values.');
      this.#others((rank) => this.#send('broadcast', rank, tag, values.slice()));
      this.#finish(`broadcast ${tag}`, began, []);
      return values;
    }
    const message = await this.link.receive(this.#rankOf(root), tag);
    this.#finish(`broadcast ${tag}`, began, [message]);
    return message.data;
  }

  /** Sends values to the member with this index, and does not wait. Takes over `values`. */
  send(values: Payload, to: number, tag: string): void {
    this.#send('send_recv', this.#rankOf(to), tag, values);
  }

  /** The next values of this tag from the member with this index. */
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

  #others(fn: (rank: number, index: number) => void): void {
    this.ranks.forEach((rank, i) => {
      if (i !== this.index) fn(rank, i);
    });
  }

  #send(kind: CollectiveKind, to: number, tag: string, data: Payload): void {
    this.recorder.sent(kind, data.byteLength);
    this.link.send(to, tag, data);
  }

  /** The time until the last message was sent was spent waiting, and the rest communicating. */
  #finish(
    what: string,
    began: number,
    messages: readonly { sent: number }[],
    bytes?: number,
  ): void {
    const end = now();
    const lastSent = Math.max(began, ...messages.map(({ sent }) => sent));
    const waited = Math.min(end, lastSent);
    this.recorder.span({ kind: 'wait', what, start: began, end: waited });
    this.recorder.span({ kind: 'communicate', what, bytes, start: waited, end });
  }
}

/** Consecutive slices of nearly equal length; views of `values`. */
export function evenSlices(values: Float32Array, count: number): Float32Array[] {
  const per = Math.ceil(values.length / count);
  return Array.from({ length: count }, (_, i) =>
    values.subarray(Math.min(values.length, i * per), Math.min(values.length, (i + 1) * per)),
  );
}

/** ((a + b) + c) + ..., each sum rounded to float32. */
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
