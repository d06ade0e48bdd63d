/**
 * The rounds of a room, one after the other: hands out local steps, takes differences, applies their
 * mean and sends it to everybody.
 */
import { hashOf, meanOf, type OuterOptimizer } from './diloco.ts';
import { bytesOf, halvesOf } from './messages.ts';
import { Round } from './round.ts';
import type { HostMemory, MessageOf, Plan } from './schema.ts';
import { Screening } from './screening.ts';
import { RETURN_MS, type Seat } from './seat.ts';

/** Bytes of parameter differences of one round at the host. */
export interface RoundBytes {
  received: number;
  sent: number;
}

/**
 * What the host exchanges in a round: two bytes a parameter from each member that delivers, and to
 * each that the mean is sent to. Headers come on top, a few hundred bytes a message.
 */
export function roundBytes(n_params: number, members: { from: number; to: number }): RoundBytes {
  return { received: 2 * n_params * members.from, sent: 2 * n_params * members.to };
}

export interface RoundsOptions {
  plan: Plan;
  optimizer: OuterOptimizer;
  memory: HostMemory;
  /** Milliseconds, monotonic. */
  now: () => number;
}

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #screening = new Screening();
  #current: Round | null = null;
  #bytes: RoundBytes = { received: 0, sent: 0 };
  /** Until then, a room that its host has opened again waits for those who trained in it. */
  readonly #othersReturnBy: number;

  constructor(options: RoundsOptions) {
    this.#options = options;
    const { memory, now } = options;
    const hadOthers = (memory.records.at(-1)?.contributors ?? 0) > 1;
    this.#othersReturnBy = hadOthers ? now() + RETURN_MS : -Infinity;
  }

  /** Rounds that were applied. */
  get applied(): number {
    return this.#options.optimizer.state.round;
  }
  /** Local steps of the training so far. */
  get step(): number {
    return this.#options.memory.records.at(-1)?.step ?? 0;
  }
  get areDone(): boolean {
    return this.step >= this.#options.plan.steps;
  }

  addPause(ms: number): void {
    this.#current?.addPause(ms);
  }

  /** A member that comes back does not know what it was asked; the round does not wait for it. */
  forget(seat: Seat): void {
    this.#current?.leaveOut(seat);
  }

  /** Ends the current round without applying it. */
  drop(): void {
    this.#current = null;
  }

  /** Ends the current round if it is over, and begins the next one. Returns whether one ended. */
  advance(seats: readonly Seat[]): boolean {
    const now = this.#options.now();
    const round = this.#current;
    if (round?.isLost(now)) this.#current = null;
    const ended = round?.isOver(now) === true && this.#close(round, seats);
    if (!this.#current && !this.areDone) this.#begin(seats);
    return ended;
  }

  #begin(all: readonly Seat[]): void {
    const now = this.#options.now();
    const seats = all.filter((seat) => seat.canTrain(now)).sort((a, b) => a.id - b.id);
    if (seats.length === 0) return;
    // If all others are lost at once, it may be the host that has lost them: alone, it would soon be done.
    const mayReturn = now < this.#othersReturnBy || all.some((seat) => seat.mayReturn(now));
    if (seats.length === 1 && mayReturn) return;
    const { plan } = this.#options;
    const { step, applied: round } = this;
    const end = Math.min(step + plan.local_steps, plan.steps);
    this.#current = new Round({ round, step, end, began: now, seats });
    this.#bytes = { received: 0, sent: 0 };
    for (const seat of all) seat.share = 'none';
    seats.forEach((seat, index) => {
      const steps = Math.min(seat.steps, end - step);
      seat.begin({ index, count: seats.length });
      seat.send({ type: 'round', round, step, steps, shard: { index, count: seats.length } });
    });
  }

  progress(seat: Seat, message: MessageOf<'progress'>): void {
    if (message.round === this.#current?.round) seat.done = Math.min(message.done, seat.steps);
  }

  /** Takes what a member delivers; what is broken is refused and counted. */
  take(seat: Seat, message: MessageOf<'contribution'>, payload: Uint8Array): void {
    const round = this.#current;
    const { round: of, exponent, tokens, seconds, loss } = message;
    // A page that slept, or knew the host before it went back, answers a round that is over.
    if (!round || of !== round.round || !round.seats.includes(seat)) return;
    if (round.has(seat)) return;
    this.#bytes.received += payload.length;
    const halves = halvesOf(payload, this.#options.plan.n_params);
    const fault = halves ? Screening.fault({ halves, exponent }) : WRONG_SHAPE;
    if (!halves || fault !== null) {
      seat.refuse(fault ?? WRONG_SHAPE);
      round.leaveOut(seat);
      return;
    }
    const now = this.#options.now();
    const steps = Math.min(message.steps, seat.steps, round.steps);
    round.take(seat, { halves, exponent }, { steps, tokens, seconds, loss }, now);
    seat.delivered(steps, seconds);
  }

  #close(round: Round, all: readonly Seat[]): boolean {
    this.#current = null;
    const seatOf = new Map(round.seats.map((seat) => [seat.id, seat]));
    const { optimizer, memory, now } = this.#options;
    for (const seat of round.late()) if (seat.isLive(now())) seat.wasLate();
    for (const seat of round.inTime()) seat.wasInTime(this.#options.plan.local_steps);
    const { accepted, refused } = this.#screening.screen(round.contributions);
    for (const { member, why } of refused) seatOf.get(member)?.refuse(why);
    if (accepted.length === 0) return false;
    const mean = meanOf(accepted.map(({ gradient }) => gradient));
    optimizer.apply(mean);
    for (const { member } of accepted) seatOf.get(member)?.countContribution();
    this.#sendMean(round, mean, all);
    const counted = round.contributions.filter(({ member }) =>
      accepted.some((one) => one.member === member),
    );
    memory.records.push({
      round: round.round,
      step: round.end,
      train_loss: meanLoss(counted),
      contributors: counted.length,
      seconds: (now() - round.began) / 1000,
      bytes: this.#bytes.received + this.#bytes.sent,
    });
    return true;
  }

  /** To all that have the parameters before it; those whose connection is stuck get the state later. */
  #sendMean(round: Round, mean: ReturnType<typeof meanOf>, all: readonly Seat[]): void {
    const payload = bytesOf(mean.halves);
    const hash = hashOf(this.#options.optimizer.state.parameters);
    const { exponent } = mean;
    for (const seat of all) {
      if (!seat.synced || !seat.connected) continue;
      if (seat.isStuck(payload.length)) {
        seat.synced = false;
        continue;
      }
      seat.send({ type: 'update', round: round.round, exponent, hash }, payload);
      this.#bytes.sent += payload.length;
    }
  }

  /** Sends parameters and momentum, from which the member goes on with the bits of the others. */
  sendState(seat: Seat): void {
    const { round, parameters, momentum } = this.#options.optimizer.state;
    const payload = new Uint8Array(8 * parameters.length);
    payload.set(bytesOf(parameters));
    payload.set(bytesOf(momentum), 4 * parameters.length);
    seat.send({ type: 'state', round, hash: hashOf(parameters) }, payload);
    seat.synced = true;
  }

  /** A member whose connection was stuck is heard again. */
  catchUp(seat: Seat): void {
    if (!seat.synced && !seat.isStuck(0)) this.sendState(seat);
  }

  /** Whether a member that comes back has what the host has. */
  isCurrent(round: number | null, hash: string | null): boolean {
    return round === this.applied && hash === hashOf(this.#options.optimizer.state.parameters);
  }

  keepEvaluation({ round, val_loss }: MessageOf<'evaluation'>): void {
    const { evaluations, records } = this.#options.memory;
    if (evaluations.some((one) => one.round === round)) return;
    const before = records.find((record) => record.round === round - 1);
    evaluations.push({ round, step: before?.step ?? 0, val_loss });
  }
}

const WRONG_SHAPE = 'It has another number of parameters.';

/** Of the members that took a step. */
function meanLoss(deliveries: readonly { loss: number; steps: number }[]): number {
  const trained = deliveries.filter(({ steps }) => steps > 0);
  return trained.reduce((sum, { loss }) => sum + loss, 0) / Math.max(1, trained.length);
}
