/** Prepares the WebAssembly backend. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { env } from '@tensorflow/tfjs-core';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import { registerWasmKernels } from './wasm_kernels.ts';

/**
 * Registers the kernels that tfjs lacks, and points tfjs at the binaries that the build emits.
 * Threads are off, because minification breaks tfjs's worker.
 */
export async function startWasm(): Promise<void> {
  registerWasmKernels();
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain,
    'tfjs-backend-wasm-simd.wasm': simd,
    'tfjs-backend-wasm-threaded-simd.wasm': simd,
  });
}
