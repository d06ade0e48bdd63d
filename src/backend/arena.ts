/**
 * Buffers that several programs share. Scratch is shared by all programs of a worker, which is safe
 * because programs run one after the other on one queue and keep nothing in scratch between two
 * submits. What is alive while a program waits is shared only by the programs of one pool, of which
 * the caller runs one at a time.
 */
import type { DeviceBuffer } from './buffer_range.ts';
import { countWhile } from './sorted.ts';
import type { TensorMemory } from './tensor_memory.ts';

export class Arena {
  readonly #memory: TensorMemory;
  readonly #label: string;
  /** Number of programs that use each buffer. */
  readonly #users = new Map<DeviceBuffer, number>();

  constructor(memory: TensorMemory, label: string) {
    this.#memory = memory;
    this.#label = label;
  }

  /**
   * Distinct buffers of at least these sizes, which must be given largest first. Allocates only
   * where no free buffer is large enough; if that fails, nothing is taken.
   */
  take(sizes: readonly number[]): DeviceBuffer[] {
    const free = [...this.#users.keys()].sort((a, b) => a.size - b.size);
    const taken: DeviceBuffer[] = [];
    try {
      for (const size of sizes) {
        const fitting = countWhile(free, (buffer) => buffer.size < size);
        const [smallest] = free.splice(fitting, 1);
        const buffer = smallest ?? this.#memory.createBuffer(this.#label, size);
        this.#users.set(buffer, (this.#users.get(buffer) ?? 0) + 1);
        taken.push(buffer);
      }
    } catch (error) {
      this.release(taken);
      throw error;
    }
    return taken;
  }

  /** Releases what a program took; destroys buffers that no other program uses. */
  release(buffers: readonly DeviceBuffer[]): void {
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

const arenas = new WeakMap<TensorMemory, Arena>();

export function arenaOf(memory: TensorMemory): Arena {
  let arena = arenas.get(memory);
  if (!arena) {
    arena = new Arena(memory, 'scratch');
    arenas.set(memory, arena);
  }
  return arena;
}
