/**
 * The latest results of a step, kept on the GPU and read late: reading each at once would make the
 * GPU wait.
 */
import { getBackend, type Tensor } from '@tensorflow/tfjs-core';
import type { SubmitItem } from './program.ts';
import { onWebGpu, webgpu } from './state.ts';
import { rangeOfTensor, readback, type Values } from './storage.ts';

export interface RingEntry {
  step: number;
  values: Values;
}

/** Results on their way to JavaScript. */
export interface RingRead {
  steps: number;
  /** In the order in which they were pushed. */
  entries: Promise<RingEntry[]>;
  /** When they were there (`performance.now()`); null before. */
  arrived: number | null;
}

export class Ring {
  private readonly buffer: GPUBuffer | null;
  private waiting: { step: number; slot: number; tensor?: Promise<Values> }[] = [];
  private next = 0;

  /**
   * Whether a step is done when it has been submitted: on the processor, where reading late gains
   * nothing.
   */
  readonly immediate: boolean;

  /** `width` float32 values a step, `capacity` steps. */
  constructor(
    private readonly width: number,
    private readonly capacity: number,
  ) {
    this.immediate = !onWebGpu() && getBackend() !== 'webgl';
    this.buffer = onWebGpu()
      ? webgpu().device.createBuffer({
          label: 'ring',
          size: width * capacity * 4,
          usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
        })
      : null;
  }

  /** True when one more step would overwrite what has not been read. */
  get full(): boolean {
    return this.waiting.length >= this.capacity;
  }
  get pending(): number {
    return this.waiting.length;
  }

  /** The copy to be submitted with the step's programs (nothing to submit where there are none). */
  push(step: number, values: Tensor): SubmitItem[] {
    if (this.full) throw new Error('The ring is full: drain it first.');
    const slot = this.next++ % this.capacity;
    if (!this.buffer) {
      this.waiting.push({
        step,
        slot,
        tensor: readback([values]).then((v) => v[0] ?? new Float32Array()),
      });
      return [];
    }
    this.waiting.push({ step, slot });
    return [
      {
        copy: rangeOfTensor(values),
        to: { buffer: this.buffer, offset: slot * this.width * 4, size: this.width * 4 },
      },
    ];
  }

  /** Everything pushed and submitted so far, in order; waits for the GPU. */
  async drain(): Promise<RingEntry[]> {
    return (await this.read()?.entries) ?? [];
  }

  /**
   * Begins to read everything pushed and submitted so far; null where that is nothing. The slots
   * are free at once: steps that are submitted from now on write after the copy.
   */
  read(): RingRead | null {
    const taken = this.waiting;
    this.waiting = [];
    if (taken.length === 0) return null;
    const read: RingRead = { steps: taken.length, entries: this.copyOut(taken), arrived: null };
    // Whoever takes the entries is told of a failure; that nobody does is none of its own.
    read.entries.then(
      () => {
        read.arrived = performance.now();
      },
      () => undefined,
    );
    return read;
  }

  private async copyOut(taken: typeof this.waiting): Promise<RingEntry[]> {
    if (!this.buffer)
      return Promise.all(
        taken.map(async (w) => ({ step: w.step, values: (await w.tensor) ?? new Float32Array() })),
      );
    const { device } = webgpu();
    const bytes = this.width * 4;
    const staging = device.createBuffer({
      label: 'ring read back',
      size: bytes * taken.length,
      usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.MAP_READ,
    });
    try {
      const encoder = device.createCommandEncoder();
      taken.forEach((w, i) => {
        if (this.buffer)
          encoder.copyBufferToBuffer(this.buffer, w.slot * bytes, staging, i * bytes, bytes);
      });
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const all = new Float32Array(staging.getMappedRange().slice(0));
      return taken.map((w, i) => ({
        step: w.step,
        values: all.slice(i * this.width, (i + 1) * this.width),
      }));
    } finally {
      staging.destroy();
    }
  }

  dispose(): void {
    this.buffer?.destroy();
  }
}
