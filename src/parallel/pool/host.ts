/**
 * The teacher's side of a room: keeps the global parameters and the outer momentum, hands out rounds,
 * takes the members' differences, and sends their mean to everybody.
 *
 * A round begins with all members that are ready and were heard lately. It ends when all of them that
 * are still there have delivered, or when the others have had three times as long as the first
 * (`Round`). A member that was too late takes half as many local steps from then on; one that is in
 * time takes twice as many, up to the plan's. Members are summed in the order of their numbers.
 *
 * The host trusts no member: what is malformed is counted and dropped, and nothing that a member
 * sends changes weights except through `Screening`. It has no timers: `tick` is to be called about
 * once a second.
 */
import type { PoolChannel } from './channel.ts';
import type { OuterOptimizer } from './diloco.ts';
import { damaged, otherVersion, PoolError } from './error.ts';
import { decodeMessage, encodeMessage, longestOfMember } from './messages.ts';
import { Rounds } from './rounds.ts';
import {
  type HostMemory,
  type MemberRow,
  type Message,
  type MessageOf,
  MOST_MEMBERS,
  type Plan,
  type SentText,
} from './schema.ts';
import { MOST_FAULTS, Seat, SILENT_MS } from './seat.ts';

export type RoomPhase = MessageOf<'roster'>['phase'];

/** What the room is, for as long as it exists. */
export interface Room {
  code: string;
  /** Version of the page; members with another one are refused. */
  build: string;
  plan: Plan;
  /** The room's own text, if its configuration names one. */
  text: { reading: SentText; bytes: Uint8Array } | null;
}

export interface HostOptions {
  room: Room;
  optimizer: OuterOptimizer;
  memory?: HostMemory;
  /** Milliseconds, monotonic. */
  now: () => number;
  /** Something that the page shows has changed. */
  changed?: () => void;
  /** The mean of a round was applied. */
  applied?: () => void;
}

const REFUSALS = {
  room: new PoolError('no_room', 'There is no such room here.', 'Check the six letters.'),
  removed: new PoolError(
    'removed',
    'The host removed this laptop from the room.',
    'Ask the host to create a new room.',
  ),
  full: new PoolError('full', `The room has ${MOST_MEMBERS} members.`, 'Wait until one leaves.'),
  model: new PoolError(
    'version',
    'The model of this page has other parameters than the room’s.',
    'Reload the page and join again.',
  ),
};

export class Host {
  readonly memory: HostMemory;
  readonly #options: HostOptions;
  readonly #rounds: Rounds;
  readonly #seats: Seat[] = [];
  #phase: RoomPhase = 'open';
  #pausedAt = 0;
  #lastTick: number;
  /** Token of the host's own page, whose evaluations count. */
  #own: string | null = null;

  constructor(options: HostOptions) {
    this.#options = options;
    this.memory = options.memory ?? { records: [], evaluations: [] };
    const { room, optimizer, now } = options;
    this.#rounds = new Rounds({ plan: room.plan, optimizer, now, memory: this.memory });
    this.#lastTick = now();
  }

  get phase(): RoomPhase {
    return this.#phase;
  }
  get members(): MemberRow[] {
    const now = this.#options.now();
    return this.#seats.map((seat) => seat.row(now));
  }
  /** Rounds that were applied. */
  get round(): number {
    return this.#rounds.applied;
  }

  /** Talks to whoever is at the other end. `own` is the token of the host's own page. */
  accept(channel: PoolChannel, own: string | null = null): void {
    this.#own ??= own;
    channel.limit(longestOfMember(this.#options.room.plan.n_params));
    let seat: Seat | null = null;
    channel.onMessage((bytes) => {
      try {
        const { message, payload } = decodeMessage(bytes);
        if (message.type === 'hello') seat = this.#hello(channel, message);
        else if (seat?.channel === channel) this.#receive(seat, message, payload);
      } catch (error) {
        this.#fault(channel, seat, error);
      }
      this.#options.changed?.();
    });
    channel.onClose(() => {
      if (seat?.channel === channel) seat.channel = null;
      this.tick();
    });
  }

  /** Begins training, or goes on after a pause. */
  start(): void {
    if (this.#phase === 'training' || this.#phase === 'ended') return;
    if (this.#phase === 'paused') {
      this.#rounds.addPause(this.#options.now() - this.#pausedAt);
      this.#toAll({ type: 'pause', paused: false });
    }
    this.#phase = 'training';
    this.tick();
  }

  /** Everybody stops at the next step. */
  pause(): void {
    if (this.#phase !== 'training') return;
    this.#phase = 'paused';
    this.#pausedAt = this.#options.now();
    this.#toAll({ type: 'pause', paused: true });
    this.tick();
  }

  remove(member: number): void {
    const seat = this.#seats.find(({ id }) => id === member);
    if (!seat || seat.removed) return;
    seat.removed = true;
    refuse(seat.channel, REFUSALS.removed);
    seat.channel = null;
    this.tick();
  }

  /** Ends training: everybody keeps the current parameters as a run. */
  end(): void {
    if (this.#phase === 'ended') return;
    this.#phase = 'ended';
    this.#rounds.drop();
    for (const seat of this.#seats) seat.share = 'none';
    this.#toAll({ type: 'end', round: this.round });
    this.tick();
  }

  /** Looks at the clock: ends rounds, begins the next one, and tells everybody what has changed. */
  tick(): void {
    this.#excuseOwnSleep();
    if (this.#phase === 'training') {
      if (this.#rounds.advance(this.#seats)) this.#options.applied?.();
      if (this.#rounds.areDone) this.end();
    }
    const now = this.#options.now();
    const members = this.members;
    for (const seat of this.#seats) {
      if (seat.isLive(now)) seat.tell({ members, phase: this.#phase, memory: this.memory });
    }
    this.#options.changed?.();
  }

  /** While this page slept, nobody could be heard. */
  #excuseOwnSleep(): void {
    const now = this.#options.now();
    const slept = now - this.#lastTick;
    this.#lastTick = now;
    if (slept < SILENT_MS / 2) return;
    for (const seat of this.#seats) seat.lastHeard = Math.min(now, seat.lastHeard + slept);
  }

  #hello(channel: PoolChannel, hello: MessageOf<'hello'>): Seat | null {
    const known = this.#seats.find(({ token }) => token === hello.token);
    const refusal = this.#refusalOf(hello, known);
    if (refusal) {
      refuse(channel, refusal);
      return null;
    }
    const seat = known ?? this.#newSeat(hello);
    seat.connect(channel, { name: hello.name, now: this.#options.now() });
    this.#rounds.forget(seat);
    this.#welcome(seat, hello);
    this.tick();
    return seat;
  }

  #newSeat({ token, name }: MessageOf<'hello'>): Seat {
    const steps = this.#options.room.plan.local_steps;
    const fresh = { name, steps, now: this.#options.now() };
    const seat = new Seat(this.#seats.length + 1, token, fresh);
    this.#seats.push(seat);
    return seat;
  }

  #refusalOf(hello: MessageOf<'hello'>, known: Seat | undefined): PoolError | null {
    const { room } = this.#options;
    if (hello.build !== room.build) return otherVersion();
    if (hello.room !== room.code) return REFUSALS.room;
    if (known?.removed) return REFUSALS.removed;
    const present = this.#seats.filter(({ connected }) => connected);
    return !known && present.length >= MOST_MEMBERS ? REFUSALS.full : null;
  }

  #welcome(seat: Seat, { round, hash }: MessageOf<'hello'>): void {
    const { plan, text } = this.#options.room;
    // A page that comes back has the text.
    const sent = round === null ? text : null;
    const reading = sent?.reading ?? null;
    seat.send({ type: 'welcome', member: seat.id, plan, text: reading }, sent?.bytes);
    if (this.#rounds.isCurrent(round, hash)) seat.synced = true;
    else this.#rounds.sendState(seat);
    if (this.#phase === 'paused') seat.send({ type: 'pause', paused: true });
    if (this.#phase === 'ended') seat.send({ type: 'end', round: this.round });
  }

  #receive(seat: Seat, message: Message, payload: Uint8Array): void {
    seat.lastHeard = this.#options.now();
    switch (message.type) {
      case 'ready':
        return this.#ready(seat, message);
      case 'need_state':
        this.#rounds.forget(seat);
        return this.#rounds.sendState(seat);
      case 'progress':
        return this.#rounds.progress(seat, message);
      case 'contribution':
        this.#rounds.take(seat, message, payload);
        return this.tick();
      case 'evaluation':
        if (seat.token === this.#own) this.#rounds.keepEvaluation(message);
        return;
      case 'leave':
        seat.leave();
        return this.tick();
      case 'alive':
        return this.#rounds.catchUp(seat);
      case 'hello':
      case 'welcome':
      case 'refuse':
      case 'state':
      case 'round':
      case 'update':
      case 'roster':
      case 'pause':
      case 'end':
        throw damaged('only a host sends it');
      default:
        message satisfies never;
    }
  }

  #ready(seat: Seat, { n_params }: MessageOf<'ready'>): void {
    if (n_params === this.#options.room.plan.n_params) seat.ready = true;
    else refuse(seat.channel, REFUSALS.model);
    this.tick();
  }

  /** A message could not be read. Strangers are told so; members are counted, and cut off at last. */
  #fault(channel: PoolChannel, seat: Seat | null, error: unknown): void {
    if (!(error instanceof PoolError)) throw error;
    if (!seat) {
      refuse(channel, error);
      return;
    }
    seat.refuse(error.message);
    seat.faults++;
    if (seat.faults < MOST_FAULTS) return;
    refuse(channel, error);
    seat.channel = null;
  }

  #toAll(message: Message): void {
    for (const seat of this.#seats) seat.send(message);
  }
}

const REFUSED_CODES = ['version', 'full', 'removed', 'no_room'] as const;

/** Tells a peer why, and closes the connection once it has left. */
function refuse(channel: PoolChannel | null, { code, message, hint }: PoolError): void {
  const known = REFUSED_CODES.find((one) => one === code) ?? 'damaged';
  channel?.send(encodeMessage({ type: 'refuse', code: known, message, hint }));
  channel?.close();
}
