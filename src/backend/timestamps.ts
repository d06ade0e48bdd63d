/** Buffers for timestamp queries. */
import { queryUsage, readbackUsage } from './usage.ts';

/** A query set holds at most 4096 timestamps. */
const MAX_PAIRS = 2048;

/**
 * Pairs of timestamps, at the beginning and the end of a pass, for `count` passes and `repeats`
 * runs of them. Each run reuses the query sets, so `resolve` is encoded after each run.
 */
export class Timestamps {
  readonly #count: number;
  readonly #sets: readonly GPUQuerySet[];
  readonly #resolved: readonly GPUBuffer[];
  readonly #staging: GPUBuffer;

  constructor(device: GPUDevice, count: number, repeats = 1) {
    this.#count = count;
    this.#sets = Array.from({ length: Math.ceil(count / MAX_PAIRS) }, (_, i) =>
      device.createQuerySet({
        type: 'timestamp',
        count: 2 * Math.min(MAX_PAIRS, count - i * MAX_PAIRS),
      }),
    );
    // Timestamps are resolved at multiples of 256 bytes only, so each set has a buffer to resolve
    // to, from which it is copied to its place.
    this.#resolved = this.#sets.map((set) =>
      device.createBuffer({ label: 'timestamps', size: 8 * set.count, usage: queryUsage() }),
    );
    this.#staging = device.createBuffer({
      label: 'timestamp readback',
      size: 16 * count * repeats,
      usage: readbackUsage(),
    });
  }

  /** For the descriptor of pass `index`. */
  writes(index: number): GPUComputePassTimestampWrites {
    const querySet = this.#sets[Math.floor(index / MAX_PAIRS)];
    if (!querySet) throw new RangeError(`There are no timestamps for pass ${index}.`);
    const beginning = 2 * (index % MAX_PAIRS);
    return {
      querySet,
      beginningOfPassWriteIndex: beginning,
      endOfPassWriteIndex: beginning + 1,
    };
  }

  resolve(encoder: GPUCommandEncoder, repeat = 0): void {
    this.#sets.forEach((set, i) => {
      const buffer = this.#resolved[i];
      if (!buffer) return;
      const offset = 16 * (this.#count * repeat + i * MAX_PAIRS);
      encoder.resolveQuerySet(set, 0, set.count, buffer, 0);
      encoder.copyBufferToBuffer(buffer, 0, this.#staging, offset, 8 * set.count);
    });
  }

  /**
   * Nanoseconds of each pass, run after run, once everything is submitted. Negative where the clock
   * was set back between the two timestamps.
   */
  async read(): Promise<number[]> {
    await this.#staging.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    return Array.from({ length: stamps.length / 2 }, (_, i) =>
      Number((stamps[2 * i + 1] ?? 0n) - (stamps[2 * i] ?? 0n)),
    );
  }

  destroy(): void {
    for (const set of this.#sets) set.destroy();
    for (const buffer of [...this.#resolved, this.#staging]) buffer.destroy();
  }
}
