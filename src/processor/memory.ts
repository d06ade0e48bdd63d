/** The memory of the engine: as large as the browser lets it become. */
import { ProcessorMemoryFull } from './memory_full.ts';

const PAGE = 65_536;
/** What 32-bit addresses reach. */
const MOST_BYTES = 2 ** 32;
/** Less is of no use: the scratch memory of sixteen threads takes half of it. */
const LEAST_BYTES = 2 ** 27;

export interface MemoryOptions {
  /** Whether threads share it. The browser then reserves all of it at once. */
  shared: boolean;
  /** Most bytes; 4 GiB by default. */
  limit?: number | undefined;
}

export interface EngineMemory {
  memory: WebAssembly.Memory;
  /** Bytes to which the memory can grow. */
  maximum: number;
}

/**
 * A memory with the largest maximum that the browser allows: `limit`, or the largest of its halves,
 * quarters and so on that the browser does not refuse.
 *
 * @throws ProcessorMemoryFull if the browser refuses even the least useful size.
 */
export function createMemory({ shared, limit = MOST_BYTES }: MemoryOptions): EngineMemory {
  for (let maximum = Math.min(limit, MOST_BYTES); maximum >= LEAST_BYTES; maximum /= 2) {
    try {
      const pages = Math.floor(maximum / PAGE);
      const memory = new WebAssembly.Memory({ initial: 2, maximum: pages, shared });
      return { memory, maximum: pages * PAGE };
    } catch {
      // The browser refuses to reserve this much.
    }
  }
  throw new ProcessorMemoryFull(LEAST_BYTES, 0);
}
