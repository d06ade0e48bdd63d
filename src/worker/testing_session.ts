/** A session over fakes of everything outside it: port, device, trainer and storage. */
import { RunStore } from '../checkpoint/index.ts';
import { MemoryFileSystem, storageFull } from '../checkpoint/store/file_system.ts';
import { MemoryLocks } from '../checkpoint/store/locks.ts';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { findObjective } from '../objectives/index.ts';
import type {
  Command,
  DeviceInfo,
  Event,
  PagePort,
  PlainError,
  StartCommand,
} from '../protocol/index.ts';
import type { SessionServices } from './services.ts';
import { Session } from './session.ts';
import { FakeTrainer } from './testing_trainer.ts';

/** Storage that can be made to refuse every write. */
export class FailingFileSystem extends MemoryFileSystem {
  isFull = false;

  override async write(path: string, bytes: Uint8Array): Promise<void> {
    if (this.isFull) throw storageFull();
    return super.write(path, bytes);
  }

  override async append(path: string, bytes: Uint8Array): Promise<void> {
    if (this.isFull) throw storageFull();
    return super.append(path, bytes);
  }
}

export const DEVICE: DeviceInfo = {
  backend: 'webgpu',
  reason: 'A fake.',
  adapter: 'fake adapter',
  limits: { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 30, workgroup_storage: 2 ** 14 },
  features: [],
};

type EventOf<T extends Event['type']> = Extract<Event, { type: T }>;

export class SessionHarness {
  readonly events: Event[] = [];
  readonly trainers: FakeTrainer[] = [];
  readonly files = new FailingFileSystem();
  readonly store = new RunStore(this.files, new MemoryLocks(), null);
  /** How often a backend was started. */
  opened = 0;
  /** Thrown by the next start of a backend. */
  deviceFailure: Error | null = null;
  /** Loses the device, as the browser reports it. */
  loseDevice: (reason: string) => void = () => undefined;
  send: (command: Command) => void = () => undefined;

  constructor(change: Partial<SessionServices> = {}) {
    const port = {
      emit: (event: Event) => this.events.push(event),
      onCommand: (listener: (command: Command) => void) => {
        this.send = listener;
      },
    };
    new Session(port, { ...this.services, ...change });
  }

  all<T extends Event['type']>(type: T): EventOf<T>[] {
    return this.events.filter((event): event is EventOf<T> => event.type === type);
  }

  /** Waits for the n-th event of this type that fits. */
  async next<T extends Event['type']>(
    type: T,
    fits: (event: EventOf<T>) => boolean = () => true,
  ): Promise<EventOf<T>> {
    for (;;) {
      const found = this.all(type).find(fits);
      if (found) return found;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  }

  /** Waits until the run paused, or `count` times it paused. */
  async paused(count = 1): Promise<void> {
    const pauses = (): number =>
      this.all('phase').filter((event) => event.phase === 'paused').length;
    while (pauses() < count) await new Promise((resolve) => setTimeout(resolve, 1));
  }

  /**
   * Trains a run to its end and closes it. Returns the error that the page shows if it cannot begin,
   * null if it has trained.
   */
  async train(command: StartCommand): Promise<PlainError | null> {
    const before = this.events.length;
    this.send(command);
    const isEnd = ({ type }: Event): boolean => type === 'finished' || type === 'error';
    while (!this.events.slice(before).some(isEnd))
      await new Promise((resolve) => setTimeout(resolve, 1));
    const refusal = this.events.slice(before).find((event) => event.type === 'error');
    this.send({ type: 'release', id: before });
    await this.next('released', ({ id }) => id === before);
    return refusal?.error ?? null;
  }

  get trainer(): FakeTrainer {
    const trainer = this.trainers.at(-1);
    if (!trainer) throw new Error('No trainer was created.');
    return trainer;
  }

  /** Fakes of everything that the session needs. */
  get services(): SessionServices {
    return {
      tryBackends: async (_wanted, events) => {
        if (this.deviceFailure) throw this.deviceFailure;
        this.opened += 1;
        this.loseDevice = (reason) => events.lost(reason);
        return DEVICE;
      },
      changeThreads: async () => null,
      loss_grace_ms: 20,
      loseDevice: () => this.loseDevice('lost for a test'),
      openRunStore: async () => this.store,
      createTrainer: async (options) => {
        const trainer = new FakeTrainer(options);
        this.trainers.push(trainer);
        return trainer;
      },
      float16UnsupportedReason: async () => null,
      findObjective,
      setTunedProducts: async () => ({ subgroup_matrices: false }),
      tuneInPause: async () => undefined,
      calibrate: async () => ({ flops_per_second: 1e9, step_overhead_ms: 1 }),
      compareRow: async () => {
        throw new Error('No comparison was expected.');
      },
      measureMemory: () => ({}),
    };
  }
}

/** The page's end of a worker that is a session in this thread. It never dies. */
export function sessionPort(services: SessionServices): PagePort {
  let listener: (event: Event) => void = () => undefined;
  let send: (command: Command) => void = () => undefined;
  const port = {
    emit: (event: Event) => queueMicrotask(() => listener(event)),
    onCommand: (handle: (command: Command) => void) => {
      send = handle;
    },
  };
  new Session(port, services);
  return {
    send: (command) => send(command),
    onEvent: (next) => {
      listener = next;
    },
    onDeath: () => undefined,
    close: () => undefined,
  };
}

/** A small recipe over the user's own text. */
export function tinyConfig(change: (config: RunConfig) => void = () => undefined): RunConfig {
  const config = defaultConfig();
  config.data.corpus = 'own';
  config.tokenizer.kind = 'char';
  Object.assign(config.model, { n_layer: 1, n_head: 1, n_embd: 8, block_size: 4 });
  Object.assign(config.training, { batch_size: 1, max_iters: 20, warmup_iters: 0 });
  config.sampling.sample_interval = 0;
  config.runtime.autosave_interval = 5;
  change(config);
  return config;
}

export const TEXT = {
  name: 'fox.txt',
  bytes: new TextEncoder().encode('the quick brown fox jumps over the lazy dog\n'.repeat(20)),
};

export const startCommand = (change: Partial<StartCommand> = {}): StartCommand => ({
  type: 'start',
  run: 'first',
  name: 'First',
  config: tinyConfig(),
  text: TEXT,
  ...change,
});
