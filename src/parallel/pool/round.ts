/** One round as the host sees it: who was asked, who has delivered, and when it ends. */
import type { Halves } from './float16.ts';
import type { Contribution } from './screening.ts';
import type { Seat } from './seat.ts';

/** After the first contribution the others have at least this long, milliseconds. */
const LEAST_GRACE_MS = 5000;
/** A member that takes longer than this many times the first one's time is left out. */
const MOST_TIMES_FIRST = 3;

/** What a member delivered, besides the difference. */
export interface Delivery {
  steps: number;
  tokens: number;
  seconds: number;
  loss: number;
}

export interface RoundStart {
  /** Rounds that were applied before. */
  round: number;
  /** Steps of the whole training before this round, and after it. */
  step: number;
  end: number;
  /** Milliseconds, as `now`. */
  began: number;
  seats: readonly Seat[];
}

export class Round {
  readonly #contributions = new Map<Seat, Contribution & Delivery>();
  /** When the first member delivered. */
  #firstMs: number | null = null;
  /** Time that does not count, because the room was paused. */
  #pausedMs = 0;

  readonly #asked: RoundStart;
  /** Members whose contribution was broken: the round does not wait for them. */
  readonly #leftOut = new Set<Seat>();

  constructor(asked: RoundStart) {
    this.#asked = asked;
  }

  get round(): number {
    return this.#asked.round;
  }
  get end(): number {
    return this.#asked.end;
  }
  /** Local steps that the round is worth. */
  get steps(): number {
    return this.#asked.end - this.#asked.step;
  }
  get began(): number {
    return this.#asked.began;
  }
  get seats(): readonly Seat[] {
    return this.#asked.seats;
  }

  get contributions(): (Contribution & Delivery)[] {
    return [...this.#contributions.values()].sort((a, b) => a.member - b.member);
  }

  has(seat: Seat): boolean {
    return this.#contributions.has(seat);
  }

  take(seat: Seat, gradient: Halves, delivery: Delivery, now: number): void {
    this.#contributions.set(seat, { member: seat.id, gradient, ...delivery });
    this.#firstMs ??= this.#elapsed(now);
  }

  leaveOut(seat: Seat): void {
    this.#leftOut.add(seat);
  }

  /** Members that were asked and have not delivered. */
  late(): Seat[] {
    return this.seats.filter((seat) => !this.has(seat) && !this.#leftOut.has(seat));
  }

  /** Members that were fast enough to be given more steps. */
  inTime(): Seat[] {
    return this.seats.filter((seat) => this.has(seat));
  }

  addPause(ms: number): void {
    this.#pausedMs += ms;
  }

  /**
   * Whether the round ends now: all members that are still there have delivered, or the time of the
   * others is over. Without any contribution it goes on until somebody delivers or nobody is there.
   */
  isOver(now: number): boolean {
    if (this.#contributions.size === 0) return false;
    const waiting = this.late().some((seat) => seat.isLive(now));
    return !waiting || this.#elapsed(now) > this.#limit;
  }

  /** Nobody who was asked can still deliver, and nobody has. */
  isLost(now: number): boolean {
    return this.#contributions.size === 0 && !this.late().some((seat) => seat.canTrain(now));
  }

  get #limit(): number {
    const first = this.#firstMs ?? Infinity;
    return Math.max(first + LEAST_GRACE_MS, first * MOST_TIMES_FIRST);
  }

  #elapsed(now: number): number {
    return now - this.began - this.#pausedMs;
  }
}
