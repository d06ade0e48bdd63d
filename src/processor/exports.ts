/** What a build of `assembly/` exports, as every thread needs it. */

/** What a build exports beside its kernels; assembly/threads.ts describes it. */
export interface EngineExports {
  setThread(count: number, scratch: number, spins: number): void;
  scratchBytes(): number;
  run(begin: number, end: number): void;
  serve(seen: number): void;
  stop(): void;
  published(): number;
  fail(reason: number): void;
  failure(): number;
  table: WebAssembly.Table;
}

type Kernel = (args: number) => void;

/** Exports that are not kernels. */
const CONTROLS = [
  'setThread',
  'scratchBytes',
  'run',
  'serve',
  'stop',
  'published',
  'fail',
  'failure',
] as const satisfies (keyof EngineExports)[];

/** An instance of the engine, with the table indices of its kernels. */
export interface EngineInstance {
  exports: EngineExports;
  kernels: ReadonlyMap<string, number>;
}

/** Throws if the module is no build of `assembly/`. */
export async function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
): Promise<EngineInstance> {
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  if (!isEngine(exports)) throw new Error('This is no build of the engine on the processor.');
  return { exports, kernels: installKernels(exports) };
}

function isEngine(exports: WebAssembly.Exports): exports is WebAssembly.Exports & EngineExports {
  return CONTROLS.every((name) => typeof exports[name] === 'function');
}

/**
 * Puts the kernels into the module's table, in the order of their names, so that they have the same
 * indices in the instance of every thread.
 */
function installKernels(exports: WebAssembly.Exports & EngineExports): ReadonlyMap<string, number> {
  const controls: readonly string[] = CONTROLS;
  const kernels = new Map<string, number>();
  for (const name of Object.keys(exports).sort()) {
    const value = exports[name];
    if (isKernel(value) && !controls.includes(name))
      kernels.set(name, exports.table.grow(1, value));
  }
  return kernels;
}

function isKernel(value: WebAssembly.ExportValue | undefined): value is Kernel {
  return typeof value === 'function';
}
