/** Starts tfjs's WebGL backend on a canvas of ours, and notices when the browser takes it away. */
import { env, findBackendFactory, registerBackend, removeBackend } from '@tensorflow/tfjs-core';
import {
  withoutGpuDevice,
  type DeviceEvents,
  type SoftwareGpu,
  type StartedBackend,
} from './backend_choice.ts';
import { selectBackend } from './select_backend.ts';
import { isSoftwareRenderer } from './software.ts';

interface Running {
  canvas: OffscreenCanvas;
  events: DeviceEvents;
}

/** The backend of this worker, until its context is lost. */
let running: Running | null = null;

/** Throws if there is no WebGL, or only a driver that computes on the CPU, unless that is allowed. */
export async function startWebGl(
  events: DeviceEvents,
  software: SoftwareGpu,
): Promise<StartedBackend> {
  const renderer = webGlRenderer();
  if (software === 'refused' && isSoftwareRenderer(renderer))
    throw new Error('WebGL runs on the processor here, too.');
  if (running) running.events = events;
  else await registerOwn(events);
  if (!(await selectBackend('webgl'))) {
    running = null;
    throw new Error('WebGL is not offered by this browser.');
  }
  // Packed exp and add write exp(0) or 0 + 1 to the padding of an odd dimension, which packed
  // matMul then includes in its sums.
  env().set('WEBGL_PACK_UNARY_OPERATIONS', false);
  env().set('WEBGL_PACK_BINARY_OPERATIONS', false);
  return withoutGpuDevice('webgl', renderer);
}

/**
 * Registers a backend on a new canvas. tfjs's own would keep the programs of a lost context, and
 * says nothing of the loss: it goes on and reads zeros.
 */
async function registerOwn(events: DeviceEvents): Promise<void> {
  const { MathBackendWebGL } = await import('@tensorflow/tfjs-backend-webgl');
  const canvas = new OffscreenCanvas(300, 150);
  const started: Running = { canvas, events };
  canvas.addEventListener('webglcontextlost', () => {
    if (running !== started) return;
    running = null;
    started.events.lost('the browser took the WebGL context away');
  });
  if (findBackendFactory('webgl')) removeBackend('webgl');
  registerBackend('webgl', () => new MathBackendWebGL(canvas), 2);
  running = started;
}

/** Loses the context as a driver would, for tests of recovery. */
export function loseWebGlContext(): void {
  running?.canvas.getContext('webgl2')?.getExtension('WEBGL_lose_context')?.loseContext();
}

function webGlRenderer(): string {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = gl && info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : null;
  return typeof name === 'string' ? name : 'WebGL';
}
