/** What this browser's WebAssembly can do, found by validating tiny modules. */

export interface ProcessorFeatures {
  /** Vectors of four float32 values. Without them the engine does not run. */
  simd: boolean;
  /** Relaxed SIMD, of which the engine uses the fused multiply-add. */
  relaxedSimd: boolean;
  /** Whether threads can share memory: only in a cross-origin isolated page. */
  sharedMemory: boolean;
}

/** A module whose one function has this body and returns a v128. */
function moduleWith(body: readonly number[]): Uint8Array<ArrayBuffer> {
  const magic = [0, 97, 115, 109, 1, 0, 0, 0];
  const type = [1, 5, 1, 96, 0, 1, 123];
  const functions = [3, 2, 1, 0];
  const code = [0, ...body, 11];
  return new Uint8Array([
    ...magic,
    ...type,
    ...functions,
    ...[10, code.length + 2, 1, code.length],
    ...code,
  ]);
}

/** `i32.const 0` and `i8x16.splat`. */
const ZEROS = [65, 0, 253, 15] as const;
/** `f32x4.relaxed_madd`. */
const RELAXED_MADD = [253, 133, 2] as const;

export function processorFeatures(): ProcessorFeatures {
  const validates = (body: readonly number[]): boolean => {
    try {
      return WebAssembly.validate(moduleWith(body));
    } catch {
      return false;
    }
  };
  return {
    simd: validates(ZEROS),
    relaxedSimd: validates([...ZEROS, ...ZEROS, ...ZEROS, ...RELAXED_MADD]),
    sharedMemory: typeof SharedArrayBuffer !== 'undefined' && globalThis.crossOriginIsolated,
  };
}

/** The builds of `assembly/`. */
export type BuildName = 'plain' | 'relaxed' | 'plain_threads' | 'relaxed_threads';

/** The properties of a computer and its browser that decide how the engine runs. */
export interface Machine extends ProcessorFeatures {
  /** Logical processors, as the browser reports them. */
  cores: number;
  userAgent: string;
}

export function thisMachine(): Machine {
  // Node 20, where tests run, has no navigator.
  if (typeof navigator === 'undefined') return { ...processorFeatures(), cores: 1, userAgent: '' };
  const { hardwareConcurrency, userAgent } = navigator;
  return { ...processorFeatures(), cores: hardwareConcurrency, userAgent };
}

export interface EngineRules {
  build: BuildName;
  /** The most threads that may run lists; the fastest number may be lower. */
  mostThreads: number;
  /** Most bytes of the engine's memory. */
  memoryLimit: number;
}

/** More threads rarely help, because kernels have chunks for a few only. */
const MOST_THREADS = 16;
/** What 32-bit addresses reach. */
const MOST_BYTES = 2 ** 32;
/** iOS ends a page that takes much more, without a warning. */
const HANDHELD_BYTES = 2 ** 30;

/**
 * How the engine runs on a machine: with one thread where memory cannot be shared, and with less
 * memory on an iPhone or iPad. Null if it cannot run there, because SIMD is missing.
 */
export function engineRules(machine: Machine): EngineRules | null {
  if (!machine.simd) return null;
  const mostThreads = machine.sharedMemory ? clamped(machine.cores, MOST_THREADS) : 1;
  const isHandheld = /iPhone|iPad|iPod/u.test(machine.userAgent);
  return {
    build: buildFor(machine, mostThreads),
    mostThreads,
    memoryLimit: isHandheld ? HANDHELD_BYTES : MOST_BYTES,
  };
}

/** A whole number from 1 to `most`. Browsers that hide the number of processors report nonsense. */
export function clamped(count: number, most: number): number {
  return Number.isFinite(count) ? Math.max(1, Math.min(Math.floor(count), most)) : 1;
}

/** The build for a browser with these features and more than one thread, or only one. */
export function buildFor(features: ProcessorFeatures, threads: number): BuildName {
  const shared = features.sharedMemory && threads > 1;
  if (features.relaxedSimd) return shared ? 'relaxed_threads' : 'relaxed';
  return shared ? 'plain_threads' : 'plain';
}
