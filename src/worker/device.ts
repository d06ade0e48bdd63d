/** The backend of this worker: opening it, noticing its loss, opening it again. */
import type { DeviceEvents, ThreadChoice } from '../backend/index.ts';
import type { BackendName, RunConfig } from '../config/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import { DeviceLost, NoBackend } from './plain_errors.ts';
import type { SessionServices } from './services.ts';
import { THREAD_MEMO } from './thread_memo.ts';

type Backend = RunConfig['runtime']['backend'];

/** How long after a refused GPU call the browser may report that the device was lost. */
const LOSS_REPORT_MS = 1000;
const POLL_MS = 50;

type DeviceServices = Pick<SessionServices, 'tryBackends' | 'changeThreads' | 'loss_grace_ms'>;

export interface DeviceListener {
  opened(device: DeviceInfo): void;
  lost(reason: string): void;
}

interface Opening {
  number: number;
  events: DeviceEvents;
}

/** When a page has loaded, on a slow computer. */
const MEASURE_AGAIN_MS = 1500;

export class Device {
  #info: DeviceInfo | null = null;
  #lostReason: string | null = null;
  #threads: ThreadChoice = { wanted: null, memo: THREAD_MEMO };
  /** The callers of `orLost` that are waiting: called when the device is lost. */
  readonly #waiting = new Set<(reason: string) => void>();
  /** Number of starts so far, and the number of the start whose backend is open. */
  #openings = 0;
  #adopted = 0;
  readonly #services: DeviceServices;
  readonly #listener: DeviceListener;

  constructor(services: DeviceServices, listener: DeviceListener) {
    this.#services = services;
    this.#listener = listener;
  }

  /** The device opened last, which may have been lost since; null before the first. */
  get info(): DeviceInfo | null {
    return this.#info;
  }

  /** Why the device was lost, or null while it works. */
  get lostReason(): string | null {
    return this.#lostReason;
  }

  /** Whether the open device works and is the wanted one. */
  serves(wanted: Backend): boolean {
    if (!this.#info || this.#lostReason !== null) return false;
    return wanted === 'auto' || wanted === this.#info.backend;
  }

  /**
   * Opens the wanted backend unless it is open and works. `wasm`: the engine on the processor or
   * tfjs's own kernels, if it is not open yet. Throws NoBackend.
   */
  async open(wanted: Backend, wasm: 'engine' | 'tfjs' = 'engine'): Promise<DeviceInfo> {
    if (this.#info && this.serves(wanted)) return this.#info;
    try {
      const opening = this.#begin();
      const threads = this.#threads;
      const device = await this.#services.tryBackends(wanted, opening.events, { wasm, threads });
      this.#adopt(opening, device);
      return device;
    } catch (error) {
      if (!(error instanceof Error)) throw new NoBackend(String(error));
      throw new NoBackend(error.message, { cause: error.cause });
    }
  }

  /**
   * Starts another backend for `work`. It stays open, and the page is notified, if `work` resolves to
   * a reason for it; otherwise the device that was open before is opened again. A backend that does
   * not start changes nothing.
   */
  async tryOther(
    backend: BackendName,
    work: (other: DeviceInfo) => Promise<string | null>,
  ): Promise<void> {
    const before = this.#info;
    try {
      const opening = this.#begin();
      const threads = this.#threads;
      const other = await this.#services.tryBackends(backend, opening.events, { threads });
      const reason = await work(other);
      if (reason !== null) return this.#adopt(opening, { ...other, reason });
    } catch (error) {
      console.warn(`${backend} was not compared:`, error);
    }
    if (!before) return;
    const opening = this.#begin();
    const threads = this.#threads;
    await this.#services.tryBackends(before.backend, opening.events, { threads });
    this.#adopted = opening.number;
  }

  /** A start of a backend, and the events of its device. */
  #begin(): Opening {
    const number = ++this.#openings;
    const events = {
      lost: (reason: string): void => {
        // A device that was replaced by another one may be lost.
        if (number >= this.#adopted) this.#lose(reason);
      },
      error: (message: string): void => console.error('The GPU refused a command:', message),
    };
    return { number, events };
  }

  #adopt({ number }: Opening, device: DeviceInfo): void {
    this.#adopted = number;
    this.#lostReason = null;
    this.#info = device;
    this.#listener.opened(device);
    this.#measureThreadsAgain(device);
  }

  /**
   * While the page loads it needs all cores, so that one thread may only have seemed to be fastest:
   * measures again when it has loaded. The number may change in the middle of a run.
   */
  #measureThreadsAgain(device: DeviceInfo): void {
    const { threads } = device;
    if (!threads || threads.count > 1 || threads.most === 1) return;
    setTimeout(() => {
      const isUndecided = this.#threads.wanted === null && this.#info === device;
      if (isUndecided && this.#lostReason === null) void this.setThreads(null);
    }, MEASURE_AGAIN_MS);
  }

  /**
   * Uses so many threads of the processor from now on; null uses as many as are fastest here. Never
   * rejects: training goes on with the threads that there are.
   */
  async setThreads(wanted: number | null): Promise<void> {
    this.#threads = { ...this.#threads, wanted };
    try {
      const changed = await this.#services.changeThreads(this.#threads);
      if (!changed || !this.#info) return;
      this.#info = { ...this.#info, ...changed };
      this.#listener.opened(this.#info);
    } catch (error) {
      console.error('The number of threads could not be changed:', error);
    }
  }

  /** The error of a run whose device was lost. */
  lossError(reason: string): DeviceLost {
    return new DeviceLost(reason, this.#info?.backend === 'wasm' ? 'processor' : 'gpu');
  }

  /**
   * Why the device was lost, if the loss explains `error`. A call that a browser refuses may be
   * refused because of a loss that the browser reports a little later, so this waits for the report.
   */
  async lossBehind(error: unknown): Promise<string | null> {
    for (let waited = 0; waited < LOSS_REPORT_MS; waited += POLL_MS) {
      if (this.#lostReason !== null || !this.#mayBeLoss(error)) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return this.#lostReason;
  }

  /** TensorFlow.js turns the failures of a lost WebGL context into errors of its own. */
  #mayBeLoss(error: unknown): boolean {
    if (this.#info?.backend === 'webgl') return true;
    return error instanceof DOMException && this.#info?.backend === 'webgpu';
  }

  /**
   * Settles as `work` does; if the device is lost and `work` does not end by itself soon after,
   * rejects with DeviceLost. Without this, work on a lost device might never settle.
   */
  async orLost<T>(work: Promise<T>, grace_ms = this.#services.loss_grace_ms): Promise<T> {
    let lost: (reason: string) => void = () => undefined;
    const gone = new Promise<never>((_resolve, reject) => {
      lost = (reason) => void setTimeout(() => reject(this.lossError(reason)), grace_ms);
    });
    this.#waiting.add(lost);
    if (this.#lostReason !== null) lost(this.#lostReason);
    try {
      return await Promise.race([work, gone]);
    } finally {
      this.#waiting.delete(lost);
    }
  }

  #lose(reason: string): void {
    this.#lostReason = reason;
    this.#listener.lost(reason);
    for (const lost of this.#waiting) lost(reason);
  }
}
