/** Starts a backend, and checks by a small gradient that it computes correctly. */
import { isMissingPart } from '../common/index.ts';
import type { BackendName } from '../config/index.ts';
import {
  withoutGpuDevice,
  type BackendChoice,
  type DeviceEvents,
  type SoftwareGpu,
  type StartedBackend,
  type ThreadChoice,
} from './backend_choice.ts';
import { gradientError } from './gradient_check.ts';
import { loadAllKernels, loadFewKernels } from './kernels.ts';
import { selectBackend } from './select_backend.ts';
import { startWebGl } from './start_webgl.ts';
import { startWebGpu } from './start_webgpu.ts';
import { state } from './state.ts';
import '@tensorflow/tfjs-core/dist/base_side_effects.js';

/** One way to compute, as `tryBackends` tries them. */
type Way = 'webgpu' | 'webgl' | 'engine' | 'tfjs_wasm' | 'cpu';

/**
 * From the fastest to the slowest on most devices. WebGL comes after the engine, because there each
 * operation of TensorFlow.js is a draw call. A measurement may decide otherwise (worker/fastest.ts).
 */
const ORDER: readonly Way[] = ['webgpu', 'engine', 'webgl', 'tfjs_wasm', 'cpu'];
/** The ways of each backend, the fastest first. */
const WAYS: Record<BackendName, readonly Way[]> = {
  webgpu: ['webgpu'],
  webgl: ['webgl'],
  wasm: ['engine', 'tfjs_wasm'],
  cpu: ['cpu'],
};

/** In the middle of a sentence. */
const TITLE: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'the processor (WebAssembly)',
  cpu: 'plain JavaScript',
};

/** Why a way is used after others failed, for ways that need more than "So ... is used." */
const CHOSEN: Partial<Record<Way, string>> = {
  engine: `So ${TITLE.wasm} is used, which is usually faster than WebGL.`,
  tfjs_wasm: `So TensorFlow.js computes on ${TITLE.wasm}, more slowly.`,
};

/** Half-precision WebGL stays below this relative error. */
const MAX_GRADIENT_ERROR = 1e-2;

const noEvents: DeviceEvents = { lost: () => undefined, error: () => undefined };

/**
 * Starts the backend that is usually the fastest of those that work, or only the one that is wanted.
 * Throws one error with the reason of each backend that failed if none works; its cause is the error
 * of the last one. With `wasm: 'tfjs'` the processor is used by tfjs's kernels only.
 */
export async function tryBackends(
  wanted: BackendName | 'auto',
  events: DeviceEvents,
  { wasm = 'engine', threads }: ProcessorChoice = {},
): Promise<BackendChoice> {
  const failures: string[] = [];
  let cause: unknown;
  for (const way of wanted === 'auto' ? ORDER : WAYS[wanted]) {
    if (way === 'engine' && wasm === 'tfjs') continue;
    const name = backendOf(way);
    try {
      const started = await startBackend(name, events, {
        kernels: 'few',
        software: wanted === 'auto' ? 'refused' : 'allowed',
        wasm: way === 'tfjs_wasm' ? 'tfjs' : 'engine',
        threads,
      });
      return { ...started, reason: reasonFor(way, wanted, failures) };
    } catch (error) {
      failures.push(failureSentence(name, error));
      cause = error;
      // Slower code would have to be downloaded from the same server.
      if (wanted !== 'auto' && isMissingPart(error)) break;
    }
  }
  throw new Error(failures.join(' '), { cause });
}

function backendOf(way: Way): BackendName {
  return way === 'engine' || way === 'tfjs_wasm' ? 'wasm' : way;
}

function failureSentence(name: BackendName, error: unknown): string {
  if (isMissingPart(error)) return `The code for ${TITLE[name]} could not be downloaded.`;
  return error instanceof Error ? error.message : String(error);
}

/** Why this way was chosen, in sentences. */
function reasonFor(way: Way, wanted: BackendName | 'auto', failures: readonly string[]): string {
  const title = TITLE[backendOf(way)];
  const chosen = CHOSEN[way] ?? `So ${title} is used.`;
  if (failures.length > 0) return [...failures, chosen].join(' ');
  return wanted === 'auto'
    ? `${title} is the fastest that this browser offers, and its gradient check passed.`
    : `${capitalized(title)} was asked for, and its gradient check passed.`;
}

function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** How the processor is used. */
export interface ProcessorChoice {
  /** On wasm: our engine (the default), which needs SIMD, or tfjs's own kernels. */
  wasm?: 'engine' | 'tfjs';
  /** Of our engine: one thread by default. */
  threads?: ThreadChoice | undefined;
}

export interface StartOptions extends ProcessorChoice {
  /**
   * On WebGPU: all of tfjs's kernels, or the few that programs of our own kernels need, which is what
   * a visitor downloads (a program that needs more loads the others).
   */
  kernels: 'all' | 'few';
  software: SoftwareGpu;
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
  state.processorPrograms = null;
  state.memory = null;
  const started = await start(name, events, options);
  const error = await gradientError();
  if (!(error < MAX_GRADIENT_ERROR))
    throw new Error(
      `${capitalized(TITLE[name])} computes a wrong gradient on this device (relative error ${error.toPrecision(2)}).`,
    );
  return started;
}

async function start(
  name: BackendName,
  events: DeviceEvents,
  { kernels, software, wasm = 'engine', threads }: StartOptions,
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
      if (wasm === 'engine') {
        const { startProcessor } = await import('./start_processor.ts');
        return startProcessor(events, threads);
      }
      const { startWasm } = await import('./wasm.ts');
      await startWasm();
      if (!(await selectBackend(name)))
        throw new Error('WebAssembly could not be started in this browser.');
      return withoutGpuDevice(name, 'CPU, TensorFlow.js by WebAssembly');
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
