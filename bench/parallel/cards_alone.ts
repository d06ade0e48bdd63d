/** Measures the speed and the losses of a run on one card, as the page trains it. */
import type { MetricColumns } from '../../src/common/index.ts';
import type { Event } from '../../src/protocol/index.ts';

export interface OpenedFacts {
  backend: string;
  n_params: number;
  /** Rows of a step of all ranks. */
  rows: number;
}

export interface AloneLimits {
  /** Steps before the clock starts: programs are built in the first of them. */
  warm_up: number;
  least_steps: number;
  /** Milliseconds after which the run ends, once it has taken the least steps. */
  milliseconds: number;
}

/** A run on one card. */
export interface Alone {
  facts: OpenedFacts;
  /** Of all steps, the first ones included. */
  losses: number[];
  /** Steps that were measured. */
  steps: number;
  /** Milliseconds a step. */
  ms: number;
}

/**
 * Listens to the events of a run. Time is measured from the first metrics after the warm-up to the last
 * ones and divided by the number of steps, because several steps are in flight at once.
 */
export class AloneRun {
  /** Resolves when enough steps are measured. */
  readonly ended: Promise<Omit<Alone, 'facts'>>;
  readonly facts: OpenedFacts = { backend: '', n_params: NaN, rows: NaN };
  readonly #limits: AloneLimits;
  readonly #losses: number[] = [];
  #first: { step: number; time: number } | null = null;
  #resolve: (alone: Omit<Alone, 'facts'>) => void = () => undefined;
  #reject: (error: Error) => void = () => undefined;

  constructor(limits: AloneLimits) {
    this.#limits = limits;
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  hear(event: Event): void {
    switch (event.type) {
      case 'device':
        this.facts.backend = event.device.backend;
        return;
      case 'started':
        this.facts.n_params = event.n_params;
        return;
      case 'metrics':
        return this.#take(event.columns);
      case 'error':
        return this.#reject(new Error(`${event.error.message} ${event.error.hint}`));
      default:
    }
  }

  #take(columns: MetricColumns): void {
    const time = performance.now();
    const { warm_up, least_steps, milliseconds } = this.#limits;
    for (const loss of columns['train/loss'] ?? []) if (loss > 0) this.#losses.push(loss);
    const step = this.#losses.length;
    if (step <= warm_up) return;
    this.#first ??= { step, time };
    const steps = step - this.#first.step;
    const took = time - this.#first.time;
    if (steps < least_steps || took < milliseconds) return;
    this.#resolve({ losses: this.#losses, steps, ms: took / steps });
  }
}
