/** Outputs of passes that are read back from the device and sent while the rank goes on. */

export class PendingOutputs {
  readonly #sends: Promise<void>[] = [];
  /** Of the first one that could not be sent. */
  #failure: Error | null = null;
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
   * Waits for a message of another rank, one at a time. Rejects as soon as an output cannot be sent:
   * the other rank may wait for that output, and would be reported as the one that hangs.
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

  /** Waits until all of them have been sent. */
  async finish(): Promise<void> {
    await Promise.all(this.#sends.splice(0));
  }
}
