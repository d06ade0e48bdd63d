/** Scratch buffers that all programs of a worker share, since programs run one after the other on one queue. */

export class Arena {
  private buffers: GPUBuffer[] = [];
  private users = 0;
  constructor(private readonly device: GPUDevice) {}

  /** Buffers at least as large as asked for, one each; `sizes` largest first. New ones are made only where none is left that fits. */
  take(sizes: readonly number[]): GPUBuffer[] {
    this.users++;
    const free = [...this.buffers];
    return sizes.map((size) => {
      const fitting = free.filter((b) => b.size >= size).sort((a, b) => a.size - b.size)[0];
      if (fitting) { free.splice(free.indexOf(fitting), 1); return fitting; }
      const buffer = this.device.createBuffer({ label: 'scratch', size: Math.ceil(size / 16) * 16, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST });
      this.buffers.push(buffer);
      return buffer;
    });
  }

  /** A program is gone; with the last one the buffers go too. */
  release(): void {
    if (--this.users > 0) return;
    for (const b of this.buffers) b.destroy();
    this.buffers = [];
  }

  get bytes(): number { return this.buffers.reduce((n, b) => n + b.size, 0); }
}

const arenas = new WeakMap<GPUDevice, Arena>();
export function arenaOf(device: GPUDevice): Arena {
  let a = arenas.get(device);
  if (!a) arenas.set(device, (a = new Arena(device)));
  return a;
}
