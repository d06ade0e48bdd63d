/** Starts a backend, and checks by a small gradient that it computes correctly. */
import { env } from '@tensorflow/tfjs-core';
import { isMissingPart } from '../common/index.ts';
import type { BackendName } from '../config/index.ts';
import type { BackendChoice, DeviceEvents, StartedBackend } from './backend_choice.ts';
import { gradientError } from './gradient_check.ts';
import { loadAllKernels, loadFewKernels } from './kernels.ts';
import { selectBackend } from './select_backend.ts';
import { startWebGpu } from './start_webgpu.ts';
import { state } from './state.ts';
import '@tensorflow/tfjs-core/dist/base_side_effects.js';

/** From the fastest to the slowest. */
const ORDER: readonly BackendName[] = ['webgpu', 'webgl', 'wasm', 'cpu'];
const TITLE: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
  cpu: 'plain JavaScript',
};

/** Half-precision WebGL stays below this relative error. */
const MAX_GRADIENT_ERROR = 1e-2;

const noEvents: DeviceEvents = { lost: () => undefined, error: () => undefined };

/**
 * Starts the fastest backend that works, or only the one that is wanted. Throws one error with the
 * reason of each backend that failed if none works; its cause is the error of the last one.
 */
export async function tryBackends(
  wanted: BackendName | 'auto',
  events: DeviceEvents,
): Promise<BackendChoice> {
  const failures: string[] = [];
  let cause: unknown;
  for (const name of wanted === 'auto' ? ORDER : [wanted]) {
    try {
      const started = await startBackend(name, events, 'few');
      return { ...started, reason: reasonFor(name, wanted, failures) };
    } catch (error) {
      failures.push(failureSentence(name, error));
      cause = error;
    }
  }
  throw new Error(failures.join(' '), { cause });
}

function failureSentence(name: BackendName, error: unknown): string {
  if (isMissingPart(error)) return `The code for ${TITLE[name]} could not be downloaded.`;
  return error instanceof Error ? error.message : String(error);
}

function reasonFor(
  name: BackendName,
  wanted: BackendName | 'auto',
  failures: readonly string[],
): string {
  const title = TITLE[name];
  if (failures.length > 0) return `${failures.join(' ')} So ${title} is used.`;
  return wanted === 'auto'
    ? `${title} is the fastest that this browser offers, and its gradient check passed.`
    : `${title} was asked for, and its gradient check passed.`;
}

/**
 * Starts one backend. A worker starts one only; tests start several. `kernels` applies to WebGPU:
 * all of tfjs's kernels, or the few that programs of our own kernels need, which is what a visitor
 * downloads (a program that needs more loads the others).
 */
export async function startBackend(
  name: BackendName,
  events: DeviceEvents = noEvents,
  kernels: 'all' | 'few' = 'all',
): Promise<StartedBackend> {
  state.webgpu = null;
  state.device = null;
  const started = await start(name, events, kernels);
  const error = await gradientError();
  if (!(error < MAX_GRADIENT_ERROR))
    throw new Error(
      `${TITLE[name]} computes a wrong gradient on this device (relative error ${error.toPrecision(2)}).`,
    );
  return started;
}

async function start(
  name: BackendName,
  events: DeviceEvents,
  kernels: 'all' | 'few',
): Promise<StartedBackend> {
  switch (name) {
    case 'webgpu': {
      const started = await startWebGpu(events);
      await (kernels === 'all' ? loadAllKernels() : loadFewKernels());
      return started;
    }
    case 'webgl':
      return startWebGl();
    case 'wasm': {
      const { startWasm } = await import('./wasm.ts');
      await startWasm();
      if (!(await selectBackend(name)))
        throw new Error('WebAssembly could not be started in this browser.');
      return withoutGpuDevice(name, 'CPU, WebAssembly');
    }
    case 'cpu': {
      await import('@tensorflow/tfjs-backend-cpu');
      if (!(await selectBackend(name)))
        throw new Error('The JavaScript backend could not be started.');
      return withoutGpuDevice(name, 'CPU, JavaScript');
    }
    default:
      return name satisfies never;
  }
}

async function startWebGl(): Promise<StartedBackend> {
  await import('@tensorflow/tfjs-backend-webgl');
  if (!(await selectBackend('webgl'))) throw new Error('WebGL is not offered by this browser.');
  // Packed exp and add write exp(0) or 0 + 1 to the padding of an odd dimension, which packed
  // matMul then includes in its sums.
  env().set('WEBGL_PACK_UNARY_OPERATIONS', false);
  env().set('WEBGL_PACK_BINARY_OPERATIONS', false);
  return withoutGpuDevice('webgl', webglRenderer());
}

function withoutGpuDevice(backend: BackendName, adapter: string): StartedBackend {
  const limits = { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 31, workgroup_storage: 0 };
  return { backend, adapter, limits, features: [] };
}

function webglRenderer(): string {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = gl && info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : null;
  return typeof name === 'string' ? name : 'WebGL';
}
