/** A room inside one program, for tests: a clock that is turned by hand, and members that can fail. */
import { OuterOptimizer } from './diloco.ts';
import { memoryLink, type MemoryLink, type PoolChannel } from './channel.ts';
import { PoolError } from './error.ts';
import { Host } from './host.ts';
import { Member } from './member.ts';
import type { LocalResult, LocalWork, PoolTrainer } from './pool_trainer.ts';
import type { HostMemory, Plan } from './schema.ts';

export const BUILD = 'test';
export const ROOM = 'ABCDEF';

export const planOf = (n_params: number, changes: Partial<Plan> = {}): Plan => ({
  config: {},
  name: 'Test',
  n_params,
  local_steps: 8,
  outer_learning_rate: 0.7,
  outer_momentum: 0.9,
  steps: 80,
  ...changes,
});

/**
 * Gradient descent on |p - target|^2, whose target is the mean of the shards' targets: what a pool
 * learns can be told from what one member alone would.
 */
export class ToyTrainer implements PoolTrainer {
  finished: Float32Array | null = null;
  /** Changes what is delivered. */
  spoil: (result: LocalResult) => LocalResult = (result) => result;
  /** While it is set, rounds do not end. */
  slow = false;
  #cancel: (() => void) | null = null;
  #finish: (() => void) | null = null;

  constructor(readonly n_params: number) {}

  /** A second passes, in which a round is done. */
  tick(): void {
    if (!this.slow) this.#finish?.();
  }

  prepare(): Promise<number> {
    return Promise.resolve(this.n_params);
  }

  async train({ parameters, steps, shard }: LocalWork): Promise<LocalResult | null> {
    let cancelled = false;
    await new Promise<void>((resolve) => {
      this.#cancel = () => {
        cancelled = true;
        resolve();
      };
      this.#finish = resolve;
    });
    this.#finish = null;
    if (cancelled) return null;
    const target = shard.index + 1;
    for (let step = 0; step < steps; step++) {
      for (let i = 0; i < parameters.length; i++) {
        const p = parameters[i] ?? 0;
        parameters[i] = p - 0.02 * (p - target * Math.cos(i));
      }
    }
    const loss = Math.abs((parameters[0] ?? 0) - target);
    return this.spoil({ parameters, steps, tokens: steps * 16, seconds: 1, loss });
  }

  cancel(): void {
    this.#cancel?.();
  }
  setPaused(): void {}
  evaluate(parameters: Float32Array): Promise<number | null> {
    return Promise.resolve(Math.abs((parameters[0] ?? 0) - 1.5));
  }
  finish(parameters: Float32Array): Promise<void> {
    this.finished = parameters;
    return Promise.resolve();
  }
}

export interface Guest {
  member: Member;
  trainer: PoolTrainer;
  /** The current connection. */
  link: MemoryLink | null;
}

/** Clones of channels that count what passes, by direction. */
export interface Traffic {
  toHost: Uint8Array[];
  toMembers: Uint8Array[];
}

export interface TestRoomOptions {
  plan: Plan;
  parameters: Float32Array;
  trainer?: () => PoolTrainer;
}

export class TestRoom {
  now = 0;
  host: Host;
  optimizer: OuterOptimizer;
  readonly guests: Guest[] = [];
  readonly traffic: Traffic = { toHost: [], toMembers: [] };
  /** Whether the host's page is open. */
  isUp = true;
  /** Whether other pages can connect to it. */
  isReachable = true;
  readonly #options: TestRoomOptions;
  #seed = 1;

  constructor(options: TestRoomOptions) {
    this.#options = options;
    this.optimizer = OuterOptimizer.fresh(options.plan, options.parameters.slice());
    this.host = this.#newHost();
  }

  #newHost(memory?: HostMemory): Host {
    const { plan } = this.#options;
    const room = { code: ROOM, build: BUILD, plan, text: null };
    return new Host({ room, optimizer: this.optimizer, memory, now: () => this.now });
  }

  add(trainer = this.#makeTrainer(), build = BUILD): Guest {
    const token = String(this.guests.length).padStart(32, '0');
    const name = `Member ${this.guests.length + 1}`;
    const isOwn = this.guests.length === 0;
    const guest: Guest = {
      trainer,
      link: null,
      member: new Member({
        identity: { room: ROOM, token, name, build },
        connect: () => {
          if (!this.isUp || !(this.isReachable || isOwn)) {
            const error = new PoolError('offline', 'The host does not answer.', 'Wait.');
            return Promise.reject(error);
          }
          guest.link = memoryLink();
          const [here, there] = guest.link.ends;
          this.host.accept(counted(there, this.traffic), isOwn ? token : null);
          return Promise.resolve(here);
        },
        trainer,
        evaluates: isOwn,
        now: () => this.now,
      }),
    };
    this.guests.push(guest);
    return guest;
  }

  #makeTrainer(): PoolTrainer {
    return this.#options.trainer?.() ?? new ToyTrainer(this.#options.plan.n_params);
  }

  /** The host's page closes and comes back with what it had saved. */
  restartHost(saved: { optimizer: OuterOptimizer; memory: HostMemory }): void {
    for (const { link } of this.guests) link?.ends[1].close();
    this.optimizer = saved.optimizer;
    this.host = this.#newHost(saved.memory);
    this.host.start();
  }

  /** Lets the clock run, a second at a time, until `done` or for so many seconds. */
  async run(seconds: number, done: () => boolean = () => false): Promise<void> {
    for (let i = 0; i < seconds && !done(); i++) {
      this.now += 1000;
      for (const { member, trainer } of this.guests) {
        member.tick();
        if (trainer instanceof ToyTrainer) trainer.tick();
      }
      if (this.isUp) this.host.tick();
      await settle();
    }
  }

  /** Pseudo-random whole numbers below `most`, the same at every run. */
  random(most: number): number {
    this.#seed = (Math.imul(this.#seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((this.#seed / 2 ** 32) * most);
  }
}

/** Lets all microtasks run, and those that they make. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function counted(channel: PoolChannel, traffic: Traffic): PoolChannel {
  return {
    get bufferedAmount() {
      return channel.bufferedAmount;
    },
    send: (bytes) => {
      traffic.toMembers.push(bytes);
      channel.send(bytes);
    },
    limit: (longest) => channel.limit(longest),
    onMessage: (listener) =>
      channel.onMessage((bytes) => {
        traffic.toHost.push(bytes);
        listener(bytes);
      }),
    onClose: (listener) => channel.onClose(listener),
    close: () => channel.close(),
  };
}
