/**
 * A WebGPU device for Node that executes nothing: it accepts what a page does with a device, so that
 * programs are traced and planned and their buffers are created as on a GPU, and the bytes of these
 * buffers can be counted (`gpuMemory`). Results read back are zeros.
 */
import { vi } from 'vitest';

const LIMITS = {
  maxBufferSize: 2 ** 31,
  maxStorageBufferBindingSize: 2 ** 31 - 4,
  maxComputeWorkgroupStorageSize: 32_768,
  maxComputeWorkgroupsPerDimension: 65_535,
  maxComputeWorkgroupSizeX: 1024,
  maxComputeWorkgroupSizeY: 1024,
  maxComputeInvocationsPerWorkgroup: 1024,
  maxStorageBuffersPerShaderStage: 10,
  minStorageBufferOffsetAlignment: 256,
  minUniformBufferOffsetAlignment: 256,
};
const FEATURES = new Set(['shader-f16']);
const INFO = { vendor: 'test', architecture: 'counting', description: '', device: '' };

const nothing = (): undefined => undefined;

interface BufferDescriptor {
  size: number;
  usage: number;
}

/** TensorFlow.js tells buffers and textures apart by their classes. */
class CountedBuffer {
  readonly size: number;
  readonly usage: number;
  readonly mapState = 'unmapped';
  readonly mapAsync = (): Promise<void> => Promise.resolve();
  readonly unmap = nothing;
  // `gpuMemory` replaces it, to count.
  destroy = nothing;

  constructor({ size, usage }: BufferDescriptor) {
    this.size = size;
    this.usage = usage;
  }

  getMappedRange(_offset = 0, bytes = this.size): ArrayBuffer {
    return new ArrayBuffer(bytes);
  }
}

class CountedTexture {
  readonly destroy = nothing;
}

function createCommandEncoder() {
  const pass = {
    setPipeline: nothing,
    setBindGroup: nothing,
    dispatchWorkgroups: nothing,
    end: nothing,
  };
  return {
    beginComputePass: () => pass,
    copyBufferToBuffer: nothing,
    clearBuffer: nothing,
    finish: () => ({}),
  };
}

const createPipeline = () => ({ getBindGroupLayout: () => ({}) });

function createDevice() {
  return {
    limits: LIMITS,
    features: FEATURES,
    lost: new Promise(nothing),
    queue: {
      submit: nothing,
      writeBuffer: nothing,
      onSubmittedWorkDone: () => Promise.resolve(),
    },
    createBuffer: (descriptor: BufferDescriptor) => new CountedBuffer(descriptor),
    createCommandEncoder,
    createBindGroup: () => ({}),
    createBindGroupLayout: () => ({}),
    createPipelineLayout: () => ({}),
    createShaderModule: () => ({ getCompilationInfo: () => Promise.resolve({ messages: [] }) }),
    createComputePipeline: createPipeline,
    createComputePipelineAsync: () => Promise.resolve(createPipeline()),
    pushErrorScope: nothing,
    popErrorScope: () => Promise.resolve(null),
    addEventListener: nothing,
    destroy: nothing,
  };
}

/**
 * Lets `startWebGpu` start on a counting device. Call it before. (`startBackend` would then check a
 * gradient, which a device that computes nothing gets wrong.)
 */
export function useCountingGpu(): void {
  const adapter = {
    features: FEATURES,
    limits: LIMITS,
    info: INFO,
    requestDevice: () => Promise.resolve(createDevice()),
  };
  const gpu = { requestAdapter: () => Promise.resolve(adapter) };
  vi.stubGlobal('navigator', { gpu, userAgent: 'counting' });
  vi.stubGlobal('GPUBuffer', CountedBuffer);
  vi.stubGlobal('GPUTexture', CountedTexture);
  // The flags of the WebGPU specification.
  vi.stubGlobal('GPUBufferUsage', {
    MAP_READ: 0x1,
    MAP_WRITE: 0x2,
    COPY_SRC: 0x4,
    COPY_DST: 0x8,
    INDEX: 0x10,
    VERTEX: 0x20,
    UNIFORM: 0x40,
    STORAGE: 0x80,
    INDIRECT: 0x100,
    QUERY_RESOLVE: 0x200,
  });
  vi.stubGlobal('GPUMapMode', { READ: 1, WRITE: 2 });
  vi.stubGlobal('GPUShaderStage', { VERTEX: 1, FRAGMENT: 2, COMPUTE: 4 });
}
