/**
 * Starting a backend, by trying it: adapter, device, and a small gradient that must come out right.
 */
import {
  backend as currentBackend,
  env,
  findBackendFactory,
  matMul,
  mul,
  ready,
  registerBackend,
  removeBackend,
  setBackend,
  sub,
  tanh,
  type Tensor,
  tensor2d,
  tidy,
} from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { BackendName } from '../config/index.ts';
import { dispatch, output } from './dispatch.ts';
import { loadAllKernels, loadFewKernels } from './kernels.ts';
import { countBuffers, countSubmits } from './memory.ts';
import { onWebGpu, state } from './state.ts';
import { readback } from './storage.ts';
import { assertPrivateMembers, countTfjsRuns } from './tfjs_private.ts';
import '@tensorflow/tfjs-core/dist/base_side_effects.js';

/** What was started and why. Limits in bytes. */
export interface BackendChoice {
  backend: BackendName;
  reason: string;
  adapter: string;
  limits: { max_buffer_size: number; max_binding_size: number; workgroup_storage: number };
  features: string[];
}

/** Called once when the GPU device goes away, or when a command is refused by the driver. */
export interface DeviceEvents {
  lost(reason: string): void;
  error(message: string): void;
}

const ORDER: readonly BackendName[] = ['webgpu', 'webgl', 'wasm', 'cpu'];
const TITLE: Record<BackendName, string> = {
  webgpu: 'WebGPU',
  webgl: 'WebGL',
  wasm: 'WebAssembly',
  cpu: 'plain JavaScript',
};

/**
 * Tries the backends from the fastest down, or only the one asked for. Throws one sentence where
 * nothing starts.
 */
export async function tryBackends(
  wanted: BackendName | 'auto',
  events: DeviceEvents,
): Promise<BackendChoice> {
  const refused: string[] = [];
  for (const name of wanted === 'auto' ? ORDER : [wanted]) {
    try {
      const started = await startBackend(name, events, 'few');
      const why =
        refused.length > 0
          ? `${refused.join(' ')} So ${TITLE[name]} is used.`
          : wanted === 'auto'
            ? `${TITLE[name]} is the fastest that this browser offers, and its gradient check passed.`
            : `${TITLE[name]} was asked for, and its gradient check passed.`;
      return { ...started, reason: why };
    } catch (error) {
      refused.push(error instanceof Error ? error.message : String(error));
    }
  }
  throw new Error(refused.join(' '));
}

/**
 * Starts one backend. One a worker: a second start is for tests. `kernels`, on WebGPU: all of
 * tfjs's, or the few that programs of our own kernels need, which is what a visitor downloads; a
 * program that needs more fetches the others.
 */
export async function startBackend(
  name: BackendName,
  events: DeviceEvents = { lost: () => undefined, error: () => undefined },
  kernels: 'all' | 'few' = 'all',
): Promise<Omit<BackendChoice, 'reason'>> {
  state.webgpu = null;
  state.device = null;
  const started = await start(name, events, kernels);
  const error = await gradientError();
  // Some phones' GPUs give zero gradients; half-precision WebGL stays within this bound.
  if (!(error < 1e-2))
    throw new Error(
      `${TITLE[name]} computes a wrong gradient on this device (relative error ${error.toPrecision(2)}).`,
    );
  return started;
}

async function start(
  name: BackendName,
  events: DeviceEvents,
  kernels: 'all' | 'few',
): Promise<Omit<BackendChoice, 'reason'>> {
  const unlimited = { max_buffer_size: 2 ** 31, max_binding_size: 2 ** 31, workgroup_storage: 0 };
  switch (name) {
    case 'webgpu': {
      const started = await startWebGpu(events);
      await (kernels === 'all' ? loadAllKernels() : loadFewKernels());
      return started;
    }
    case 'webgl': {
      await import('@tensorflow/tfjs-backend-webgl');
      if (!(await select(name))) throw new Error('WebGL is not offered by this browser.');
      // Packed exp and add leave exp(0), 0 + 1 in the padding of an odd dimension, and packed
      // matMul multiplies it in.
      env().set('WEBGL_PACK_UNARY_OPERATIONS', false);
      env().set('WEBGL_PACK_BINARY_OPERATIONS', false);
      return { backend: name, adapter: webglRenderer(), limits: unlimited, features: [] };
    }
    case 'wasm': {
      const { startWasm } = await import('./wasm.ts');
      await startWasm();
      if (!(await select(name)))
        throw new Error('WebAssembly could not be started in this browser.');
      return { backend: name, adapter: 'CPU, WebAssembly', limits: unlimited, features: [] };
    }
    case 'cpu': {
      await import('@tensorflow/tfjs-backend-cpu');
      if (!(await select(name))) throw new Error('The JavaScript backend could not be started.');
      return { backend: name, adapter: 'CPU, JavaScript', limits: unlimited, features: [] };
    }
    default:
      return name satisfies never;
  }
}

async function select(name: BackendName): Promise<boolean> {
  try {
    const ok = await setBackend(name);
    await ready();
    return ok;
  } catch {
    return false;
  }
}

/**
 * The device of this worker, while it is not lost: starting WebGPU again takes it up with its
 * compiled kernels.
 */
let running: {
  backend: WebGPUBackend;
  device: GPUDevice;
  started: Omit<BackendChoice, 'reason'>;
  events: DeviceEvents;
} | null = null;

const WANTED: readonly string[] = ['timestamp-query', 'shader-f16', 'subgroups'];
/** Offered by some adapters without shader-f16, and of no use then. */
const SUBGROUP_MATRIX = 'chromium-experimental-subgroup-matrix';
/**
 * Features that are used where they are offered: the browser's list may be longer than the one in
 * the types.
 */
const isWanted =
  (offered: GPUSupportedFeatures) =>
  (feature: string): feature is GPUFeatureName =>
    WANTED.includes(feature) || (feature === SUBGROUP_MATRIX && offered.has('shader-f16'));

async function startWebGpu(events: DeviceEvents): Promise<Omit<BackendChoice, 'reason'>> {
  if (running && (await select('webgpu'))) {
    state.webgpu = running.backend;
    state.device = running.device;
    running.events = events;
    return running.started;
  }
  if (!('gpu' in navigator) || !navigator.gpu) throw new Error('This browser has no WebGPU.');
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU found no graphics adapter.');
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu.js');
  const features = [...adapter.features].filter(isWanted(adapter.features));
  const l = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: {
      maxBufferSize: l.maxBufferSize,
      maxStorageBufferBindingSize: l.maxStorageBufferBindingSize,
      maxComputeWorkgroupStorageSize: l.maxComputeWorkgroupStorageSize,
      maxComputeWorkgroupsPerDimension: l.maxComputeWorkgroupsPerDimension,
      maxComputeWorkgroupSizeX: l.maxComputeWorkgroupSizeX,
      maxComputeWorkgroupSizeY: l.maxComputeWorkgroupSizeY,
      maxComputeInvocationsPerWorkgroup: l.maxComputeInvocationsPerWorkgroup,
      maxStorageBuffersPerShaderStage: l.maxStorageBuffersPerShaderStage,
    },
  });
  countBuffers(device);
  countSubmits(device);
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 3);
  if (!(await select('webgpu'))) throw new Error('TensorFlow.js could not use the WebGPU device.');
  const backend = currentBackend();
  if (!(backend instanceof WebGPUBackend))
    throw new Error('TensorFlow.js did not take the WebGPU device.');
  assertPrivateMembers(backend);
  countTfjsRuns(backend);
  state.webgpu = backend;
  state.device = device;
  const started = {
    backend: 'webgpu' as const,
    adapter:
      [adapter.info.vendor, adapter.info.architecture, adapter.info.description]
        .filter(Boolean)
        .join(' ') || 'unnamed adapter',
    limits: deviceLimits(device),
    features,
  };
  const mine = (running = { backend, device, started, events });
  void device.lost.then((info) => {
    if (running === mine) running = null;
    mine.events.lost(info.message || 'the driver gave no reason');
  });
  device.addEventListener('uncapturederror', (e) => mine.events.error(e.error.message));
  return started;
}

/** Loses the device as a driver would: for tests of bad luck. */
export function loseDevice(): void {
  state.device?.destroy();
}

/** The limits that decide whether a model fits, in bytes. */
export const deviceLimits = (device: GPUDevice): BackendChoice['limits'] => ({
  max_buffer_size: device.limits.maxBufferSize,
  max_binding_size: device.limits.maxStorageBufferBindingSize,
  workgroup_storage: device.limits.maxComputeWorkgroupStorageSize,
});

/** Bytes that one binding of the device may hold; no limit where there is no GPU device. */
export const maxBindingSize = (): number =>
  state.device?.limits.maxStorageBufferBindingSize ?? Infinity;

const FORWARD = `
@group(0) @binding(0) var<storage, read_write> y: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> w: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
  y[i] = tanh(x[2u * (i / 2u)] * w[i % 2u] + x[2u * (i / 2u) + 1u] * w[2u + i % 2u]);
}`;
const BACKWARD = `
@group(0) @binding(0) var<storage, read_write> dw: array<f32>;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> y: array<f32>;
@compute @workgroup_size(4) fn main(@builtin(local_invocation_index) i: u32) {
  let j = i % 2u;
  dw[i] = x[i / 2u] * (1 - y[j] * y[j]) + x[2u + i / 2u] * (1 - y[2u + j] * y[2u + j]);
}`;

/**
 * d/dw sum(tanh(x w)) for 2 x 2, by kernels of our own: WebGPU trains by these, and tfjs's need not
 * be there.
 */
function tanhGradient(x: Tensor, w: Tensor): Tensor {
  const y = output([2, 2]);
  const dw = output([2, 2]);
  dispatch({
    name: 'check_forward',
    code: FORWARD,
    writes: [y],
    reads: [x, w],
    workgroups: [1, 1, 1],
  });
  dispatch({
    name: 'check_backward',
    code: BACKWARD,
    writes: [dw],
    reads: [x, y],
    workgroups: [1, 1, 1],
  });
  return dw;
}

/** Relative error of d/dw sum(tanh(x w)) against values worked out in float64. */
async function gradientError(): Promise<number> {
  const x = [0.5, -1, 0.25, 2];
  const w = [0.1, -0.3, 0.7, 0.2];
  const expected = [0, 0, 0, 0];
  for (let i = 0; i < 2; i++)
    for (let j = 0; j < 2; j++) {
      const z = (x[2 * i] ?? 0) * (w[j] ?? 0) + (x[2 * i + 1] ?? 0) * (w[2 + j] ?? 0);
      const g = 1 - Math.tanh(z) ** 2;
      for (let k = 0; k < 2; k++)
        expected[2 * k + j] = (expected[2 * k + j] ?? 0) + (x[2 * i + k] ?? 0) * g;
    }
  const g = tidy(() => {
    const inputs = tensor2d(x, [2, 2]);
    const weights = tensor2d(w, [2, 2]);
    if (onWebGpu()) return tanhGradient(inputs, weights);
    const y = tanh(matMul(inputs, weights));
    return matMul(inputs, sub(1, mul(y, y)), true, false);
  });
  const [got = new Float32Array()] = await readback([g]);
  g.dispose();
  return (
    Math.max(...expected.map((e, i) => Math.abs((got[i] ?? NaN) - e))) /
    Math.max(...expected.map(Math.abs))
  );
}

function webglRenderer(): string {
  const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
  const info = gl?.getExtension('WEBGL_debug_renderer_info');
  const name: unknown = gl && info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : null;
  return typeof name === 'string' ? name : 'WebGL';
}
