/**
 * Keeps the latest results of a repeated program on the device until they are read together. Reading
 * each result at once would stall the GPU.
 */
import { getBackend, type Tensor } from '@tensorflow/tfjs-core';
import type { SubmitItem } from './program_types.ts';
import { rangeOfTensor, readback } from './readback.ts';
import { onWebGpu, webgpu } from './state.ts';
import { readbackUsage } from './usage.ts';
import type { Values } from './values.ts';

export interface RingEntry {
  step: number;
  values: Values;
}

/** Results that are being copied to JavaScript. */
export interface RingRead {
  steps: number;
  /** In the order in which they were pushed. */
  entries: Promise<RingEntry[]>;
  /** When they arrived (`performance.now()`), or null before. */
  arrived: number | null;
}

/** A result that has not been read; `values` on backends without GPU buffers. */
interface Unread {
  step: number;
  slot: number;
  values?: Promise<Values>;
}

export class Ring {
  readonly #width: number;
  readonly #capacity: number;
  readonly #buffer: GPUBuffer | null;
  #unread: Unread[] = [];
  #pushed = 0;

  /**
   * Whether a step is finished when `submit` returns, so that nothing is gained by reading late: on
   * CPU backends.
   */
  readonly immediate: boolean;

  /** For `width` float32 values a step and at most `capacity` unread steps. */
  constructor(width: number, capacity: number) {
    this.#width = width;
    this.#capacity = capacity;
    this.immediate = !onWebGpu() && getBackend() !== 'webgl';
    this.#buffer = onWebGpu()
      ? webgpu().device.createBuffer({
          label: 'ring',
          size: width * capacity * 4,
          usage: GPUBufferUsage.COPY_DST | GPUBufferUsage.COPY_SRC,
        })
      : null;
  }

  /** Whether one more step would overwrite an unread result. */
  get full(): boolean {
    return this.#unread.length >= this.#capacity;
  }

  /** Number of unread results. */
  get pending(): number {
    return this.#unread.length;
  }

  /**
   * The copies to submit after the step's programs; none on backends without GPU buffers. Throws if
   * the ring is full.
   */
  push(step: number, values: Tensor): SubmitItem[] {
    if (this.full) throw new Error('The ring is full: drain it first.');
    const slot = this.#pushed++ % this.#capacity;
    if (!this.#buffer) {
      this.#unread.push({ step, slot, values: readOne(values) });
      return [];
    }
    this.#unread.push({ step, slot });
    const size = this.#width * 4;
    return [
      { copy: rangeOfTensor(values), to: { buffer: this.#buffer, offset: slot * size, size } },
    ];
  }

  /** Reads everything that was pushed and submitted so far, in order; waits for the GPU. */
  async drain(): Promise<RingEntry[]> {
    return (await this.read()?.entries) ?? [];
  }

  /**
   * Starts to read everything that was pushed and submitted so far; null if there is nothing. The
   * slots are free at once, because steps that are submitted later write after this copy.
   */
  read(): RingRead | null {
    const taken = this.#unread;
    this.#unread = [];
    if (taken.length === 0) return null;
    const read: RingRead = {
      steps: taken.length,
      entries: this.#buffer ? this.#copyOut(this.#buffer, taken) : settle(taken),
      arrived: null,
    };
    // The empty handler prevents an unhandled rejection; who awaits `entries` still sees the error.
    read.entries.then(
      () => {
        read.arrived = performance.now();
      },
      () => undefined,
    );
    return read;
  }

  async #copyOut(buffer: GPUBuffer, taken: readonly Unread[]): Promise<RingEntry[]> {
    const { device } = webgpu();
    const width = this.#width;
    const bytes = width * 4;
    const staging = device.createBuffer({
      label: 'ring read back',
      size: bytes * taken.length,
      usage: readbackUsage(),
    });
    try {
      const encoder = device.createCommandEncoder();
      taken.forEach(({ slot }, i) =>
        encoder.copyBufferToBuffer(buffer, slot * bytes, staging, i * bytes, bytes),
      );
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(GPUMapMode.READ);
      const all = new Float32Array(staging.getMappedRange().slice(0));
      return taken.map(({ step }, i) => ({ step, values: all.slice(i * width, (i + 1) * width) }));
    } finally {
      staging.destroy();
    }
  }

  dispose(): void {
    this.#buffer?.destroy();
  }
}

async function readOne(tensor: Tensor): Promise<Values> {
  const [values] = await readback([tensor]);
  return values ?? new Float32Array();
}

async function settle(taken: readonly Unread[]): Promise<RingEntry[]> {
  return Promise.all(
    taken.map(async ({ step, values }) => ({ step, values: (await values) ?? new Float32Array() })),
  );
}
