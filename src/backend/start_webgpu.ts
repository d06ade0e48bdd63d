/** Requests the GPU device and registers tfjs's WebGPU backend on it. */
import {
  backend as currentBackend,
  findBackendFactory,
  registerBackend,
  removeBackend,
} from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { BackendChoice, DeviceEvents, SoftwareGpu, StartedBackend } from './backend_choice.ts';
import { gpuTensorMemory } from './gpu_memory.ts';
import { countBuffers, countSubmits } from './memory.ts';
import { selectBackend } from './select_backend.ts';
import { isSoftwareAdapter } from './software.ts';
import { state } from './state.ts';
import type { TensorMemory } from './tensor_memory.ts';
import { assertPrivateMembers, countTfjsRuns } from './tfjs_private.ts';
import { loseWebGlContext } from './start_webgl.ts';

interface Running {
  backend: WebGPUBackend;
  device: GPUDevice;
  memory: TensorMemory;
  started: StartedBackend;
  events: DeviceEvents;
}

/**
 * The device of this worker, until it is lost: starting WebGPU again reuses it with its compiled
 * kernels.
 */
let running: Running | null = null;

/** Throws if there is no adapter, or if tfjs does not accept the device. */
export async function startWebGpu(
  events: DeviceEvents,
  software: SoftwareGpu,
): Promise<StartedBackend> {
  if (running && (await selectBackend('webgpu'))) {
    state.webgpu = running.backend;
    state.device = running.device;
    state.memory = running.memory;
    running.events = events;
    return running.started;
  }
  if (!('gpu' in navigator) || !navigator.gpu) throw new Error('This browser has no WebGPU.');
  const adapter = await navigator.gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new Error('WebGPU found no graphics adapter.');
  if (software === 'refused' && isSoftwareAdapter(adapter.info)) {
    throw new Error(
      `WebGPU runs on the processor here (${adapterName(adapter.info)}), slower than WebAssembly.`,
    );
  }
  const features = wantedFeatures(adapter.features);
  const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu/dist/backend_webgpu.js');
  const device = await adapter.requestDevice({
    requiredFeatures: features,
    requiredLimits: requiredLimits(adapter.limits),
  });
  countBuffers(device);
  countSubmits(device);
  if (findBackendFactory('webgpu')) removeBackend('webgpu');
  registerBackend('webgpu', () => new WebGPUBackend(device, adapter.info), 3);
  if (!(await selectBackend('webgpu')))
    throw new Error('TensorFlow.js could not use the WebGPU device.');
  const backend = currentBackend();
  if (!(backend instanceof WebGPUBackend))
    throw new Error('TensorFlow.js did not take the WebGPU device.');
  assertPrivateMembers(backend);
  countTfjsRuns(backend);
  state.webgpu = backend;
  state.device = device;
  const memory = gpuTensorMemory(backend, device);
  state.memory = memory;
  const started: StartedBackend = {
    backend: 'webgpu',
    adapter: adapterName(adapter.info),
    limits: deviceLimits(device),
    features,
  };
  running = { backend, device, memory, started, events };
  reportEvents(running);
  return started;
}

function reportEvents(started: Running): void {
  const { device } = started;
  void device.lost.then((info) => {
    if (running === started) running = null;
    started.events.lost(info.message || 'the driver gave no reason');
  });
  device.addEventListener('uncapturederror', ({ error }) => started.events.error(error.message));
}

const WANTED: readonly string[] = ['timestamp-query', 'shader-f16', 'subgroups'];
/** Some adapters offer it without shader-f16, which our kernels need with it. */
const SUBGROUP_MATRIX = 'chromium-experimental-subgroup-matrix';

/** The optional features that we use and the adapter has. */
function wantedFeatures(offered: GPUSupportedFeatures): GPUFeatureName[] {
  // The type of feature names lacks those that are experimental.
  const isWanted = (feature: string): feature is GPUFeatureName =>
    WANTED.includes(feature) || (feature === SUBGROUP_MATRIX && offered.has('shader-f16'));
  return [...offered].filter(isWanted);
}

function requiredLimits(limits: GPUSupportedLimits): Record<string, number> {
  return {
    maxBufferSize: limits.maxBufferSize,
    maxStorageBufferBindingSize: limits.maxStorageBufferBindingSize,
    maxComputeWorkgroupStorageSize: limits.maxComputeWorkgroupStorageSize,
    maxComputeWorkgroupsPerDimension: limits.maxComputeWorkgroupsPerDimension,
    maxComputeWorkgroupSizeX: limits.maxComputeWorkgroupSizeX,
    maxComputeWorkgroupSizeY: limits.maxComputeWorkgroupSizeY,
    maxComputeInvocationsPerWorkgroup: limits.maxComputeInvocationsPerWorkgroup,
    maxStorageBuffersPerShaderStage: limits.maxStorageBuffersPerShaderStage,
  };
}

function adapterName(info: GPUAdapterInfo): string {
  const parts = [info.vendor, info.architecture, info.description];
  return parts.filter(Boolean).join(' ') || 'unnamed adapter';
}

/** Loses the device as a driver would, for tests of recovery. */
export function loseDevice(): void {
  if (state.device) state.device.destroy();
  else if (state.processor) void state.processor.engine.threads.endOneHelper();
  else loseWebGlContext();
}

/** The limits that decide whether a model fits, in bytes. */
export function deviceLimits(device: GPUDevice): BackendChoice['limits'] {
  return {
    max_buffer_size: device.limits.maxBufferSize,
    max_binding_size: device.limits.maxStorageBufferBindingSize,
    workgroup_storage: device.limits.maxComputeWorkgroupStorageSize,
  };
}

/** Bytes that one binding of a kernel may hold; infinite where there are no kernels of ours. */
export function maxBindingSize(): number {
  return state.memory?.largest ?? Infinity;
}
