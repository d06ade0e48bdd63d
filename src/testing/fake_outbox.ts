/** How the scripted worker sends events, now and later. */
import type { Event, RunPhase } from '../protocol/index.ts';

export class FakeOutbox {
  onEvent: (event: Event) => void = () => undefined;
  onDeath: (reason: string) => void = () => undefined;
  readonly #speed: number;
  #closed = false;

  /** `speed` divides the delays of `afterScaled`. */
  constructor(speed: number) {
    this.#speed = speed;
  }

  close(): void {
    this.#closed = true;
  }

  emit(event: Event): void {
    if (!this.#closed) queueMicrotask(() => this.onEvent(event));
  }

  phase(phase: RunPhase, detail = '', progress: number | null = null): void {
    this.emit({ type: 'phase', phase, detail, progress });
  }

  after(ms: number, action: () => void): void {
    setTimeout(() => {
      if (!this.#closed) action();
    }, ms);
  }

  afterScaled(ms: number, action: () => void): void {
    this.after(ms / this.#speed, action);
  }
}
