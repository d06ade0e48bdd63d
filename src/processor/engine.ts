/**
 * The engine on the processor: one memory, the kernels of `assembly/` over it, and lists of commands
 * that its threads run.
 */
import { Heap } from './heap.ts';

/** What a build of `assembly/` exports beside its kernels. */
interface EngineExports {
  setThread(count: number, scratch: number, spins: number): void;
  scratchBytes(): number;
  run(begin: number, end: number): void;
  table: WebAssembly.Table;
}

type Kernel = (args: number) => void;

/** Exports that are not kernels. */
const CONTROLS: readonly string[] = ['setThread', 'scratchBytes', 'run', 'serve', 'stop'];

/** Below lie the words that threads share, and the module's static data. */
const HEAP_BEGIN = 65_536;
const MAXIMUM_PAGES = 65_536;
const WORD = 4;

export class Engine {
  readonly heap: Heap;
  readonly #exports: EngineExports;
  readonly #kernels: ReadonlyMap<string, number>;

  private constructor(heap: Heap, exports: EngineExports, kernels: ReadonlyMap<string, number>) {
    this.heap = heap;
    this.#exports = exports;
    this.#kernels = kernels;
  }

  /** Starts the engine with one thread, the caller's. */
  static async start(module: WebAssembly.Module): Promise<Engine> {
    const memory = new WebAssembly.Memory({ initial: 2, maximum: MAXIMUM_PAGES });
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    if (!isEngine(exports)) throw new Error('This is no build of the engine on the processor.');
    const heap = new Heap(memory, HEAP_BEGIN);
    exports.setThread(1, heap.allocate(exports.scratchBytes()).address, 0);
    return new Engine(heap, exports, installKernels(exports));
  }

  get memory(): WebAssembly.Memory {
    return this.heap.memory;
  }

  /** Table index of a kernel. Throws if there is none of this name. */
  kernel(name: string): number {
    const index = this.#kernels.get(name);
    if (index === undefined) throw new Error(`The engine on the processor has no kernel ${name}.`);
    return index;
  }

  /** The bytes from an address on; invalid once the memory has grown. */
  bytes(address: number, length: number): Uint8Array<ArrayBufferLike> {
    return new Uint8Array(this.memory.buffer, address, length);
  }

  /** Runs the commands that lie from `begin` to `end`. */
  run(begin: number, end: number): void {
    if (end > begin) this.#exports.run(begin, end);
  }
}

function isEngine(exports: WebAssembly.Exports): exports is WebAssembly.Exports & EngineExports {
  return CONTROLS.every((name) => typeof exports[name] === 'function');
}

/**
 * Puts the kernels into the module's table, in the order of their names, so that they have the same
 * indices in the instance of every thread.
 */
export function installKernels(
  exports: WebAssembly.Exports & EngineExports,
): ReadonlyMap<string, number> {
  const kernels = new Map<string, number>();
  for (const name of Object.keys(exports).sort()) {
    const value = exports[name];
    if (isKernel(value) && !CONTROLS.includes(name))
      kernels.set(name, exports.table.grow(1, value));
  }
  return kernels;
}

function isKernel(value: WebAssembly.ExportValue | undefined): value is Kernel {
  return typeof value === 'function';
}

/** Bytes of a command with `words` arguments: its kernel, its length, and its arguments. */
export function commandBytes(words: number): number {
  return (2 + words) * WORD;
}
