/** The backend of this worker: opening it, noticing its loss, opening it again. */
import type { RunConfig } from '../config/index.ts';
import type { DeviceInfo } from '../protocol/index.ts';
import { NoBackend } from './plain_errors.ts';
import type { SessionServices } from './services.ts';

type Backend = RunConfig['runtime']['backend'];

/** How long after a refused GPU call the browser may report that the device was lost. */
const LOSS_REPORT_MS = 1000;
const POLL_MS = 50;

export interface DeviceListener {
  opened(device: DeviceInfo): void;
  lost(reason: string): void;
}

export class Device {
  #info: DeviceInfo | null = null;
  #lostReason: string | null = null;
  readonly #tryBackends: SessionServices['tryBackends'];
  readonly #listener: DeviceListener;

  constructor(tryBackends: SessionServices['tryBackends'], listener: DeviceListener) {
    this.#tryBackends = tryBackends;
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

  /** Opens the wanted backend unless it is open and works. Throws NoBackend. */
  async open(wanted: Backend): Promise<DeviceInfo> {
    if (this.#info && this.serves(wanted)) return this.#info;
    try {
      const device = await this.#tryBackends(wanted, {
        lost: (reason) => this.#lose(reason),
        error: (message) => console.error('The GPU refused a command:', message),
      });
      this.#lostReason = null;
      this.#info = device;
      this.#listener.opened(device);
      return device;
    } catch (error) {
      if (!(error instanceof Error)) throw new NoBackend(String(error));
      throw new NoBackend(error.message, { cause: error.cause });
    }
  }

  /**
   * Why the device was lost, if the loss explains `error`. A call that a browser refuses may be
   * refused because of a loss that the browser reports a little later, so this waits for the report.
   */
  async lossBehind(error: unknown): Promise<string | null> {
    for (let waited = 0; waited < LOSS_REPORT_MS; waited += POLL_MS) {
      const mayBeLoss = error instanceof DOMException && this.#info?.backend === 'webgpu';
      if (this.#lostReason !== null || !mayBeLoss) break;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    return this.#lostReason;
  }

  #lose(reason: string): void {
    this.#lostReason = reason;
    this.#listener.lost(reason);
  }
}
