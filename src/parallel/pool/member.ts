/**
 * A member's side of a room. It keeps the global parameters and the outer momentum, trains the rounds
 * that the host hands out, and applies the mean that the host sends; after each it compares a hash of
 * the parameters with the host's, and asks for the whole state if they differ.
 *
 * A lost connection is made again under the same token, so that the host knows the member. Moments of
 * AdamW stay in the member's run (as in DiLoCo).
 */
import type { PoolChannel } from './channel.ts';
import { outerGradient } from './diloco.ts';
import { noAnswer, PoolError } from './error.ts';
import { HOST_SILENT_MS, MemberLink } from './member_link.ts';
import { bytesOf, type Envelope } from './messages.ts';
import type { PoolTrainer } from './pool_trainer.ts';
import { Replica } from './replica.ts';
import type { HostMemory, MemberRow, MessageOf, Plan } from './schema.ts';

export type MemberState =
  | 'connecting'
  | 'preparing'
  | 'waiting'
  | 'training'
  | 'paused'
  | 'lost'
  | 'ended'
  | 'refused'
  | 'failed'
  | 'left';

const OVER: ReadonlySet<MemberState> = new Set(['ended', 'refused', 'failed', 'left']);

export interface Identity {
  room: string;
  /** 32 hexadecimal digits that only this member knows. */
  token: string;
  name: string;
  build: string;
}

export interface MemberOptions {
  identity: Identity;
  /** Opens a connection to the host. Rejects with a PoolError. */
  connect: () => Promise<PoolChannel>;
  trainer: PoolTrainer;
  /** Evaluates the global parameters before each of its rounds: the host's own page. */
  evaluates?: boolean;
  /** It cannot connect again by itself, and is more patient. */
  isByCode?: boolean;
  /** Milliseconds, monotonic. */
  now: () => number;
  changed?: () => void;
}

export class Member {
  readonly replica = new Replica();
  readonly memory: HostMemory = { records: [], evaluations: [] };
  state: MemberState = 'connecting';
  /** Why the room cannot be used, or the connection was not made. */
  problem: PoolError | null = null;
  plan: Plan | null = null;
  /** Number of the member in the room. */
  id: number | null = null;
  rows: readonly MemberRow[] = [];
  roomPhase: MessageOf<'roster'>['phase'] = 'open';
  readonly #options: MemberOptions;
  readonly #link: MemberLink;
  #prepared: Promise<number> | null = null;
  #isReady = false;
  /** Work of the run, one after the other. */
  #work: Promise<void> = Promise.resolve();
  /** The round that the run trains, or is about to. */
  #training: number | null = null;
  #evaluated = -1;
  #paused = false;
  /** The room has ended; its last parameters may still have to arrive, and are kept once. */
  #ending: 'no' | 'waiting' | 'kept' = 'no';

  constructor(options: MemberOptions) {
    this.#options = options;
    const { connect, now, identity, isByCode } = options;
    this.#link = new MemberLink({
      connect,
      now,
      silent_ms: isByCode ? 3 * HOST_SILENT_MS : HOST_SILENT_MS,
      opened: () => {
        const { round, hash } = this.replica;
        this.#link.send({ type: 'hello', ...identity, round, hash });
      },
      heard: (envelope) => {
        this.#receive(envelope);
        options.changed?.();
      },
      faulty: (error) => {
        // A host of another version cannot be understood; a damaged message may have been a mean.
        if (error.code === 'version') this.#stop('refused', error);
        else this.#link.send({ type: 'need_state' });
      },
      lost: (problem) => this.#lost(problem),
    });
  }

  get isOver(): boolean {
    return OVER.has(this.state);
  }

  /** To be called about once a second: connects, and says that the page is alive. */
  tick(): void {
    if (this.state === 'ended' && !this.#link.isOpen) return;
    this.#link.tick();
  }

  /** Leaves for good; the run keeps what it has. */
  leave(): void {
    if (this.state === 'left') return;
    this.#link.send({ type: 'leave' });
    this.#stop('left', null);
  }

  #lost(problem: PoolError | null): void {
    this.#cancel();
    if (this.isOver) return;
    this.problem = this.plan && problem?.code === 'blocked' ? noAnswer() : problem;
    this.#set(this.plan ? 'lost' : 'connecting');
  }

  #receive({ message, payload }: Envelope): void {
    switch (message.type) {
      case 'welcome':
        return this.#welcome(message, payload);
      case 'state':
        return this.#load(message, payload);
      case 'round':
        return this.#begin(message);
      case 'update':
        return this.#apply(message, payload);
      case 'roster':
        return this.#keepRoster(message);
      case 'pause':
        return this.#setPaused(message.paused);
      case 'end':
        return this.#end(message);
      case 'refuse':
        return this.#stop('refused', new PoolError(message.code, message.message, message.hint));
      case 'alive':
      case 'hello':
      case 'ready':
      case 'need_state':
      case 'progress':
      case 'contribution':
      case 'evaluation':
      case 'leave':
        return;
      default:
        message satisfies never;
    }
  }

  #welcome({ member, plan, text }: MessageOf<'welcome'>, payload: Uint8Array): void {
    this.id = member;
    this.plan = plan;
    this.problem = null;
    this.#link.works();
    // The host says so again if the room is still paused.
    if (this.#paused) this.#setPaused(false);
    this.memory.records.length = 0;
    this.memory.evaluations.length = 0;
    const brought = text && { reading: text, bytes: payload };
    this.#prepared ??= this.#options.trainer.prepare(plan, brought);
    this.#set(this.#isReady ? 'waiting' : 'preparing');
    this.#prepared.then(
      (n_params) => {
        this.#isReady = true;
        this.#link.send({ type: 'ready', n_params });
        this.#settle();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  #load(message: MessageOf<'state'>, payload: Uint8Array): void {
    if (!this.plan) return;
    this.#cancel();
    if (!this.replica.load(message, payload, this.plan)) this.#link.send({ type: 'need_state' });
    else if (this.#ending !== 'no') this.#finish(message.round);
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    this.#options.trainer.setPaused(paused);
    this.#settle();
  }

  #begin({ round, step, steps, shard }: MessageOf<'round'>): void {
    const parameters = this.replica.parameters?.slice();
    if (!this.#isReady || !parameters || this.replica.round !== round) {
      this.#link.send({ type: 'need_state' });
      return;
    }
    this.#training = round;
    this.#enqueue(async () => {
      if (this.#training !== round) return;
      await this.#evaluate(round, parameters);
      if (this.#training !== round) return;
      const work = { parameters: parameters.slice(), step, steps, shard };
      const progress = (done: number): void => this.#link.send({ type: 'progress', round, done });
      const result = await this.#options.trainer.train(work, progress);
      // The round was closed without this page, or the state was replaced.
      if (!result || this.#training !== round) return;
      this.#training = null;
      const { halves, exponent } = outerGradient(parameters, result.parameters);
      const { tokens, seconds, steps: taken } = result;
      const facts = { round, steps: taken, tokens, seconds, exponent, loss: finite(result.loss) };
      this.#link.send({ type: 'contribution', ...facts }, bytesOf(halves));
      this.#settle();
    });
    this.#settle();
  }

  async #evaluate(round: number, parameters: Float32Array): Promise<void> {
    if (!this.#options.evaluates || this.#evaluated >= round) return;
    this.#evaluated = round;
    const val_loss = await this.#options.trainer.evaluate(parameters.slice());
    if (val_loss === null) return;
    this.#link.send({ type: 'evaluation', round, val_loss: finite(val_loss) });
  }

  #apply(message: MessageOf<'update'>, payload: Uint8Array): void {
    if (this.replica.has(message)) return;
    this.#cancel();
    if (!this.replica.apply(message, payload)) this.#link.send({ type: 'need_state' });
  }

  #keepRoster({ members, records, evaluations, phase }: MessageOf<'roster'>): void {
    this.rows = members;
    this.roomPhase = phase;
    this.memory.records.push(...records);
    this.memory.evaluations.push(...evaluations);
  }

  #end({ round }: MessageOf<'end'>): void {
    this.#cancel();
    if (this.#ending === 'no') this.#ending = 'waiting';
    if (this.replica.round === round) this.#finish(round);
    else this.#link.send({ type: 'need_state' });
  }

  /** Keeps the room's last parameters. */
  #finish(round: number): void {
    const { parameters } = this.replica;
    if (this.isOver || !parameters || this.#ending === 'kept') return;
    this.#ending = 'kept';
    const kept = parameters.slice();
    this.#enqueue(async () => {
      await this.#prepared;
      await this.#evaluate(round, kept);
      await this.#options.trainer.finish(kept);
      this.#set('ended');
    });
  }

  /** What the run is working on is not wanted any more. */
  #cancel(): void {
    if (this.#training === null) return;
    this.#training = null;
    this.#options.trainer.cancel();
    this.#settle();
  }

  #enqueue(work: () => Promise<void>): void {
    this.#work = this.#work.then(work).catch((error: unknown) => this.#fail(error));
  }

  /** The run of this page cannot go on. */
  #fail(error: unknown): void {
    const message = error instanceof Error ? error.message : String(error);
    this.#link.send({ type: 'leave' });
    this.#stop('failed', new PoolError('failed', message, 'Join the room again.'));
  }

  #stop(state: 'left' | 'refused' | 'failed', problem: PoolError | null): void {
    this.#cancel();
    this.problem = problem;
    this.#link.close();
    this.#set(state);
  }

  #settle(): void {
    if (this.isOver || !this.#link.isOpen || !this.#isReady) return;
    if (this.#paused) this.#set('paused');
    else this.#set(this.#training === null ? 'waiting' : 'training');
  }

  #set(state: MemberState): void {
    this.state = state;
    this.#options.changed?.();
  }
}

/** Losses that are not numbers travel as a large one. */
const finite = (value: number): number => (Number.isFinite(value) ? value : 1e6);
