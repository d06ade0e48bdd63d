/** Outputs of passes that are being read back and sent while the rank runs later passes. */

export class PendingOutputs {
  readonly #sends: Promise<void>[] = [];
  /** The error of the first output that could not be sent. */
  #failure: Error | null = null;
  /** Rejects the `receive` in progress, if any. */
  #interrupt: (error: Error) => void = () => undefined;

  /** `sent` resolves when the output has been sent. */
  add(sent: Promise<void>): void {
    this.#sends.push(sent);
    sent.catch((error: unknown) => {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
      this.#interrupt(this.#failure);
    });
  }

  /**
   * Waits for a message from another rank; only one call at a time. Rejects as soon as an output cannot
   * be sent: the other rank may be waiting for that output, and would be reported as hanging.
   */
  async receive<T>(message: Promise<T>): Promise<T> {
    const failed = new Promise<never>((_resolve, reject) => {
      this.#interrupt = reject;
      if (this.#failure) reject(this.#failure);
    });
    try {
      return await Promise.race([failed, message]);
    } finally {
      this.#interrupt = () => undefined;
    }
  }

  /** Waits until all outputs have been sent. */
  async finish(): Promise<void> {
    await Promise.all(this.#sends.splice(0));
  }
}
