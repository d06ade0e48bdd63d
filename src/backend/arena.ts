/**
 * Scratch buffers that all programs of a worker share, which is safe because programs run one after
 * the other on one queue and keep nothing in scratch between two submits.
 */
import { storageUsage } from './usage.ts';

export class Arena {
  readonly #device: GPUDevice;
  /** Number of programs that use each buffer. */
  readonly #users = new Map<GPUBuffer, number>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /**
   * Distinct buffers of at least these sizes, which must be given largest first. Allocates only
   * where no free buffer is large enough.
   */
  take(sizes: readonly number[]): GPUBuffer[] {
    const free = [...this.#users.keys()];
    return sizes.map((size) => {
      const fitting = free.filter((buffer) => buffer.size >= size);
      const [smallest] = fitting.sort((a, b) => a.size - b.size);
      if (smallest) free.splice(free.indexOf(smallest), 1);
      const buffer = smallest ?? this.#create(size);
      this.#users.set(buffer, (this.#users.get(buffer) ?? 0) + 1);
      return buffer;
    });
  }

  #create(size: number): GPUBuffer {
    return this.#device.createBuffer({
      label: 'scratch',
      size: Math.ceil(size / 16) * 16,
      usage: storageUsage(),
    });
  }

  /** Releases what a program took; destroys buffers that no other program uses. */
  release(buffers: readonly GPUBuffer[]): void {
    for (const buffer of buffers) {
      const left = (this.#users.get(buffer) ?? 0) - 1;
      if (left > 0) {
        this.#users.set(buffer, left);
        continue;
      }
      this.#users.delete(buffer);
      buffer.destroy();
    }
  }

  get bytes(): number {
    return [...this.#users.keys()].reduce((sum, buffer) => sum + buffer.size, 0);
  }
}

const arenas = new WeakMap<GPUDevice, Arena>();

export function arenaOf(device: GPUDevice): Arena {
  let arena = arenas.get(device);
  if (!arena) {
    arena = new Arena(device);
    arenas.set(device, arena);
  }
  return arena;
}
