/** The error that ends a run whose weights are lost. */

/**
 * The loss is not finite, has grown far beyond a uniform guess, or fell to 0 at once, as on a device
 * that returns only zeros: the weights are lost.
 */
export class LossExploded extends Error {
  constructor(
    readonly step: number,
    readonly loss: number,
  ) {
    super(
      Number.isFinite(loss)
        ? `The loss exploded to ${loss.toFixed(1)} at step ${step}.`
        : `The loss is not a number at step ${step}.`,
    );
    if (loss === 0) {
      this.message = `The loss fell to 0 at once at step ${step}, so the weights are lost.`;
    }
  }
}
