/** How the threads of a workgroup divide the units of an operand's tile among themselves. */

/**
 * A tile of `units` units, `across` in a row. In step s, thread t takes unit t + s threads. The
 * methods give WGSL over the thread's index `tid`.
 */
export class ThreadUnits {
  readonly steps: number;
  readonly #units: number;
  readonly #across: number;
  readonly #threads: number;
  /** Threads fill whole rows, so all steps share one remainder and one quotient. */
  readonly #even: boolean;

  constructor(units: number, across: number, threads: number) {
    this.#units = units;
    this.#across = across;
    this.#threads = threads;
    this.#even = threads % across === 0;
    this.steps = Math.ceil(units / threads);
  }

  /** Runs the body in threads that have a unit in this step. */
  guarded(step: number, body: string): string {
    const { steps } = this;
    if (this.#units % this.#threads === 0 || step < steps - 1) return body;
    return `if (tid < ${this.#units - step * this.#threads}u) { ${body} }`;
  }

  /** Row of the thread's unit. */
  row(step: number): string {
    if (!this.#even) return `${this.#unit(step)} / ${this.#across}u`;
    return `tid / ${this.#across}u + ${(step * this.#threads) / this.#across}u`;
  }

  /** Place of the thread's unit in its row. */
  column(step: number): string {
    return `${this.#even ? 'tid' : this.#unit(step)} % ${this.#across}u`;
  }

  #unit(step: number): string {
    return step === 0 ? 'tid' : `(tid + ${step * this.#threads}u)`;
  }
}
