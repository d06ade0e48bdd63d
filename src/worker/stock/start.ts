/** Starts a backend of the published TensorFlow.js, as its documentation says. */
import * as tf from '@tensorflow/tfjs';
import plain from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm.wasm?url';
import simd from '@tensorflow/tfjs-backend-wasm/dist/tfjs-backend-wasm-simd.wasm?url';
import type { BackendName } from '../../config/index.ts';

/** WebGL and the CPU are part of the package; WebGPU and WebAssembly are packages of their own. */
export async function startStock(backend: BackendName): Promise<void> {
  switch (backend) {
    case 'webgpu':
      await import('@tensorflow/tfjs-backend-webgpu');
      break;
    case 'wasm':
      await prepareWasm();
      break;
    case 'webgl':
    case 'cpu':
      break;
    default:
      backend satisfies never;
  }
  await select(backend);
  await tf.ready();
}

/** A backend that this browser does not have is refused, or not even registered. */
async function select(backend: BackendName): Promise<void> {
  const message = `TensorFlow.js could not start its backend “${backend}” in this browser.`;
  let selected: boolean;
  try {
    selected = await tf.setBackend(backend);
  } catch (cause) {
    throw new Error(message, { cause });
  }
  if (!selected) throw new Error(message);
}

/**
 * One thread: those of TensorFlow.js load scripts from blobs, which the policy of this page forbids,
 * and bundlers rename what these scripts refer to.
 */
async function prepareWasm(): Promise<void> {
  // Otherwise TensorFlow.js would wait forever for a binary that does not come.
  const { ok } = await fetch(simd);
  if (!ok) throw new Error('The WebAssembly code of TensorFlow.js could not be downloaded.');
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  setWasmPaths({
    'tfjs-backend-wasm.wasm': plain,
    'tfjs-backend-wasm-simd.wasm': simd,
    'tfjs-backend-wasm-threaded-simd.wasm': simd,
  });
}
