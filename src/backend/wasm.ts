/** Prepares the WebAssembly backend. */
import { setWasmPaths } from '@tensorflow/tfjs-backend-wasm';
import { env } from '@tensorflow/tfjs-core';
import { MissingPart } from '../common/index.ts';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import { registerWasmKernels } from './wasm_kernels.ts';

/**
 * Registers the kernels that tfjs lacks, and points tfjs at the binaries that the build emits.
 * Threads are off, because minification breaks tfjs's worker.
 *
 * Downloads the binary first, so that tfjs finds it in a cache: without it tfjs would wait forever.
 *
 * @throws MissingPart if the binary cannot be downloaded.
 */
export async function startWasm(): Promise<void> {
  registerWasmKernels();
  env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain,
    'tfjs-backend-wasm-simd.wasm': simd,
    'tfjs-backend-wasm-threaded-simd.wasm': simd,
  });
  const hasSimd = await env().getAsync('WASM_HAS_SIMD_SUPPORT');
  await download(hasSimd ? simd : plain);
}

async function download(url: string): Promise<void> {
  try {
    const response = await fetch(url);
    if (!response.ok) throw new Error(`The server answered with status ${response.status}.`);
    await response.arrayBuffer();
  } catch (cause) {
    throw new MissingPart('The WebAssembly code could not be downloaded.', { cause });
  }
}
