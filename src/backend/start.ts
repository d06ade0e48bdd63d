/** Starts a backend, and checks by a small gradient that it computes correctly. */
import { isMissingPart } from '../common/index.ts';
import type { BackendName } from '../config/index.ts';
import {
  withoutGpuDevice,
  type BackendChoice,
  type DeviceEvents,
  type SoftwareGpu,
  type StartedBackend,
} from './backend_choice.ts';
import { gradientError } from './gradient_check.ts';
import { loadAllKernels, loadFewKernels } from './kernels.ts';
import { hasEngine, startProcessor } from './start_processor.ts';
import { selectBackend } from './select_backend.ts';
import { startWebGl } from './start_webgl.ts';
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
      const software = wanted === 'auto' ? 'refused' : 'allowed';
      const started = await startBackend(name, events, { kernels: 'few', software });
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

export interface StartOptions {
  /**
   * On WebGPU: all of tfjs's kernels, or the few that programs of our own kernels need, which is what
   * a visitor downloads (a program that needs more loads the others).
   */
  kernels: 'all' | 'few';
  software: SoftwareGpu;
  /** On wasm: our engine where the browser has SIMD (the default), or tfjs's own kernels. */
  wasm?: 'engine' | 'tfjs';
}

/** Starts one backend. A worker starts one only; tests start several. */
export async function startBackend(
  name: BackendName,
  events: DeviceEvents = noEvents,
  options: StartOptions = { kernels: 'all', software: 'allowed' },
): Promise<StartedBackend> {
  state.webgpu = null;
  state.device = null;
  state.processor = null;
  state.memory = null;
  const started = await start(name, events, options);
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
  { kernels, software, wasm = 'engine' }: StartOptions,
): Promise<StartedBackend> {
  switch (name) {
    case 'webgpu': {
      const started = await startWebGpu(events, software);
      await (kernels === 'all' ? loadAllKernels() : loadFewKernels());
      return started;
    }
    case 'webgl':
      return startWebGl(events, software);
    case 'wasm': {
      if (wasm === 'engine' && hasEngine()) return startProcessor();
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
