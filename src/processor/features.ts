/** What this browser's WebAssembly can do, found by validating tiny modules. */

export interface ProcessorFeatures {
  /** Vectors of four float32 values. Without them the engine does not run. */
  simd: boolean;
  /** Fused multiply-add. */
  relaxedSimd: boolean;
  /** Memory that threads share: only in an isolated page. */
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

/** The build for a browser with these features and more than one thread, or only one. */
export function buildFor(features: ProcessorFeatures, threads: number): BuildName {
  const shared = features.sharedMemory && threads > 1;
  if (features.relaxedSimd) return shared ? 'relaxed_threads' : 'relaxed';
  return shared ? 'plain_threads' : 'plain';
}
