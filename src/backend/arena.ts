/**
 * Scratch buffers that all programs of a worker share, since programs run one after the other on
 * one queue.
 */

export class Arena {
  /** Each buffer with the number of programs that use it. */
  private readonly users = new Map<GPUBuffer, number>();
  constructor(private readonly device: GPUDevice) {}

  /**
   * Buffers at least as large as asked for, one each; `sizes` largest first. New ones are made only
   * where none is left that fits.
   */
  take(sizes: readonly number[]): GPUBuffer[] {
    const free = [...this.users.keys()];
    return sizes.map((size) => {
      const fitting = free.filter((b) => b.size >= size).sort((a, b) => a.size - b.size)[0];
      if (fitting) free.splice(free.indexOf(fitting), 1);
      const buffer =
        fitting ??
        this.device.createBuffer({
          label: 'scratch',
          size: Math.ceil(size / 16) * 16,
          usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST,
        });
      this.users.set(buffer, (this.users.get(buffer) ?? 0) + 1);
      return buffer;
    });
  }

  /** A program that took these is gone; a buffer that no other uses goes with it. */
  release(buffers: readonly GPUBuffer[]): void {
    for (const b of buffers) {
      const left = (this.users.get(b) ?? 0) - 1;
      if (left > 0) {
        this.users.set(b, left);
        continue;
      }
      this.users.delete(b);
      b.destroy();
    }
  }

  get bytes(): number {
    return [...this.users.keys()].reduce((n, b) => n + b.size, 0);
  }
}

const arenas = new WeakMap<GPUDevice, Arena>();
export function arenaOf(device: GPUDevice): Arena {
  let a = arenas.get(device);
  if (!a) arenas.set(device, (a = new Arena(device)));
  return a;
}
