/**
 * The engine on the processor: one memory, the kernels of `assembly/` over it, and lists of commands
 * that its threads run.
 */
import { type EngineInstance, instantiate } from './exports.ts';
import { Heap } from './heap.ts';
import { createMemory } from './memory.ts';
import { Threads } from './threads.ts';

/** Address of the first block. The words that threads share and static data lie below it. */
const HEAP_BEGIN = 65_536;
const WORD = 4;

export interface EngineOptions {
  /** Whether the module is a build with threads, whose memory is shared. */
  shared?: boolean;
  /** Most bytes of memory. */
  limit?: number;
  /** How often a thread polls before it sleeps. */
  spins?: number;
}

/** A thread stopped in the middle of a list, so the engine can no longer be used. */
export class ThreadStopped extends Error {
  constructor(cause: unknown) {
    super('A thread of the processor stopped, and the engine with it.', { cause });
  }
}

export class Engine {
  readonly heap: Heap;
  readonly threads: Threads;
  /** Called with the reason, in words, when a thread has stopped and before `run` throws. */
  onStopped: (reason: string) => void = () => undefined;
  readonly #instance: EngineInstance;
  #stopped: ThreadStopped | null = null;

  private constructor(instance: EngineInstance, heap: Heap, threads: Threads) {
    this.heap = heap;
    this.threads = threads;
    this.#instance = instance;
  }

  /**
   * Starts the engine with one thread, the caller's; `threads` starts more.
   *
   * @throws ProcessorMemoryFull if the browser gives no memory at all.
   */
  static async start(
    module: WebAssembly.Module,
    { shared = false, limit, spins }: EngineOptions = {},
  ): Promise<Engine> {
    const { memory, maximum } = createMemory({ shared, limit });
    const instance = await instantiate(module, memory);
    const heap = new Heap(memory, HEAP_BEGIN, maximum);
    const { exports: leader } = instance;
    const scratch = (): number => heap.reserve(leader.scratchBytes());
    return new Engine(instance, heap, new Threads({ module, memory, leader, scratch, spins }));
  }

  get memory(): WebAssembly.Memory {
    return this.heap.memory;
  }

  /** Table index of a kernel. Throws if there is none of this name. */
  kernel(name: string): number {
    const index = this.#instance.kernels.get(name);
    if (index === undefined) throw new Error(`The engine on the processor has no kernel ${name}.`);
    return index;
  }

  /** A view of the bytes at an address. It becomes invalid when the memory grows. */
  bytes(address: number, length: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  /**
   * Runs the commands at the addresses from `begin` to `end` (`commandBytes` says how they are laid
   * out), and returns when all threads have finished them.
   *
   * @throws ThreadStopped if a thread stops, now or in a list before.
   */
  run(begin: number, end: number): void {
    if (this.#stopped) throw this.#stopped;
    const { exports } = this.#instance;
    try {
      if (end > begin) exports.run(begin, end);
    } catch (cause) {
      // With one thread, a trap is an error in a kernel, and later lists can still run.
      if (this.threads.count === 1) throw cause;
      this.#stopped = new ThreadStopped(cause);
      this.threads.end();
      this.onStopped(reasonOf(exports.failure()));
      throw this.#stopped;
    }
  }
}

/** The reason in words. assembly/threads.ts and thread_messages.ts define the numbers. */
function reasonOf(failure: number): string {
  if (failure === 0) return 'a kernel failed';
  return failure === 1 ? 'it did not answer any more' : 'a kernel failed in it';
}

/** Bytes of a command: a word each for its kernel and its length, then `words` arguments. */
export function commandBytes(words: number): number {
  return (2 + words) * WORD;
}
