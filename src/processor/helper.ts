/** One helper thread, as the leader sees it. */
import type { FromHelper, ToHelper } from './thread_messages.ts';

/** How long a helper may take to start, in milliseconds. Later ones are not used. */
const START_MS = 5000;
/** How long a helper may take to stop, in milliseconds. It is in no list then, and only wakes up. */
const PARK_MS = 2000;

export class Helper {
  readonly #worker: Worker;
  /** Called once, with the next message of this type. */
  readonly #expected = new Map<FromHelper['type'], () => void>();
  #broken: (reason: Error) => void = () => undefined;
  #parked: Promise<void> = Promise.resolve();

  constructor() {
    this.#worker = new Worker(new URL('./thread_worker.ts', import.meta.url), {
      type: 'module',
      name: 'terrarium thread',
    });
    this.#worker.addEventListener('message', ({ data }: MessageEvent<FromHelper>) => {
      const expected = this.#expected.get(data.type);
      this.#expected.delete(data.type);
      expected?.();
    });
    this.#worker.addEventListener('error', () =>
      this.#broken(new Error('A thread of the processor could not be started.')),
    );
  }

  /** Resolves once the thread can serve. Rejects if it cannot be loaded, or takes too long. */
  async start(setup: Omit<Extract<ToHelper, { type: 'start' }>, 'type'>): Promise<void> {
    const ready = this.#next('ready');
    this.#say({ type: 'start', ...setup });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      this.#broken = reject;
      timer = setTimeout(() => reject(new Error('A thread did not start in time.')), START_MS);
    });
    try {
      await Promise.race([ready, late]);
    } finally {
      clearTimeout(timer);
      this.#broken = () => undefined;
    }
  }

  /** Makes the thread run the lists that the leader publishes, until the leader stops the threads. */
  serve(how: Omit<Extract<ToHelper, { type: 'serve' }>, 'type'>): void {
    this.#parked = this.#next('parked');
    this.#say({ type: 'serve', ...how });
  }

  /**
   * Resolves to true once the thread has noticed that the leader stopped the threads, or to false if
   * it does not: the browser has ended it.
   */
  async parked(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), PARK_MS);
    });
    try {
      return await Promise.race([this.#parked.then(() => true), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends the thread at once, whatever it does. */
  end(): void {
    this.#worker.terminate();
  }

  #say(message: ToHelper): void {
    this.#worker.postMessage(message);
  }

  #next(type: FromHelper['type']): Promise<void> {
    return new Promise((resolve) => {
      this.#expected.set(type, resolve);
    });
  }
}
