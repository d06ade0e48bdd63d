/** What the host knows of one member, whether connected or not. */
import type { PoolChannel } from './channel.ts';
import type { Shard } from '../../common/index.ts';
import { encodeMessage } from './messages.ts';
import type { HostMemory, MemberPhase, MemberRow, Message, MessageOf } from './schema.ts';

/** Nothing was heard for this long: the member sleeps, and nobody waits for it. Milliseconds. */
export const SILENT_MS = 8000;
/** A member that took part and was heard within this time may come back. Milliseconds. */
export const RETURN_MS = 20_000;
/** Malformed messages in a row after which a connection is closed. */
export const MOST_FAULTS = 20;

/** Bytes that may wait for a page that is not behind, besides differences. */
const STUCK_BYTES = 4 * 2 ** 20;

interface Told extends Pick<MessageOf<'roster'>, 'members' | 'phase'> {
  memory: HostMemory;
}

export class Seat {
  channel: PoolChannel | null = null;
  name: string;
  /** Its model is compiled. */
  ready = false;
  /** It has the host's parameters, or will have them when what was sent arrives. */
  synced = false;
  removed = false;
  /** Whether it said that it leaves, so that nobody waits for it. */
  hasLeft = false;
  /** Whether it takes part in the current round, and whether it has delivered. */
  share: 'none' | 'training' | 'delivered' = 'none';
  shard: MemberRow['shard'] = null;
  /** Local steps that it takes in a round: fewer than the plan's if it was too late with those. */
  steps: number;
  done = 0;
  rate = 0;
  contributed = 0;
  late = 0;
  refused = 0;
  /** Refusals since the latest contribution that counted. */
  refusedInARow = 0;
  refusedWhy = '';
  faults = 0;
  lastHeard: number;
  /** Records and evaluations of the room that it has been told of, and the latest roster. */
  #told = { records: 0, evaluations: 0, text: '' };

  constructor(
    readonly id: number,
    readonly token: string,
    fresh: { name: string; steps: number; now: number },
  ) {
    this.name = fresh.name;
    this.steps = fresh.steps;
    this.lastHeard = fresh.now;
  }

  get connected(): boolean {
    return this.channel !== null;
  }

  isLive(now: number): boolean {
    return this.connected && !this.removed && now - this.lastHeard < SILENT_MS;
  }

  /** Whether it took part, was lost a moment ago without leaving, and so may come back. */
  mayReturn(now: number): boolean {
    if (this.removed || this.hasLeft || this.contributed === 0 || this.isLive(now)) return false;
    return now - this.lastHeard < RETURN_MS;
  }

  /** It can be given work. */
  canTrain(now: number): boolean {
    return this.isLive(now) && this.ready && this.synced;
  }

  send(message: Message, payload?: Uint8Array): void {
    this.channel?.send(encodeMessage(message, payload));
  }

  /** A page connects, or comes back; what it was connected by before is closed. */
  connect(channel: PoolChannel, { name, now }: { name: string; now: number }): void {
    this.channel?.close();
    this.channel = channel;
    this.name = name;
    this.lastHeard = now;
    this.hasLeft = false;
    this.ready = false;
    this.synced = false;
    this.faults = 0;
    this.refusedInARow = 0;
    this.share = 'none';
    this.#told = { records: 0, evaluations: 0, text: '' };
  }

  leave(): void {
    this.hasLeft = true;
    this.channel?.close();
    this.channel = null;
  }

  /** A round begins for the member. */
  begin(shard: Shard): void {
    this.share = 'training';
    this.shard = shard;
    this.done = 0;
  }

  delivered(steps: number, seconds: number): void {
    this.share = 'delivered';
    this.done = steps;
    this.rate = seconds > 0 ? steps / seconds : 0;
  }

  countContribution(): void {
    this.contributed++;
    this.refusedInARow = 0;
  }

  wasLate(): void {
    this.late++;
    this.steps = Math.max(1, Math.floor(this.steps / 2));
  }

  wasInTime(most: number): void {
    this.steps = Math.min(most, 2 * this.steps);
  }

  /** More than a few differences of `bytes` wait to be sent: the page does not take them. */
  isStuck(bytes: number): boolean {
    return (this.channel?.bufferedAmount ?? 0) > 4 * bytes + STUCK_BYTES;
  }

  /** Sends the roster, with what is new since the last time, unless nothing has changed. */
  tell({ members, phase, memory }: Told): void {
    const { records, evaluations } = memory;
    const told = this.#told;
    const text = JSON.stringify([members, phase, records.length, evaluations.length]);
    if (text === told.text) return;
    this.#told = { records: records.length, evaluations: evaluations.length, text };
    this.send({
      type: 'roster',
      members,
      phase,
      records: records.slice(told.records),
      evaluations: evaluations.slice(told.evaluations),
    });
  }

  refuse(why: string): void {
    this.refused++;
    this.refusedInARow++;
    this.refusedWhy = why;
  }

  phase(now: number): MemberPhase {
    if (this.removed) return 'removed';
    if (!this.connected) return 'away';
    if (!this.isLive(now)) return 'silent';
    if (!this.ready) return 'joining';
    if (this.share === 'none') return 'ready';
    return this.share;
  }

  row(now: number): MemberRow {
    return {
      member: this.id,
      name: this.name,
      phase: this.phase(now),
      shard: this.shard,
      steps: this.steps,
      done: this.done,
      rate: this.rate,
      contributed: this.contributed,
      late: this.late,
      refused: this.refused,
      refused_in_a_row: this.refusedInARow,
      refused_why: this.refusedWhy,
      silent_seconds: Math.max(0, Math.round((now - this.lastHeard) / 1000)),
    };
  }
}
