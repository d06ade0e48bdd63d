/** Compute pipelines of our own kernels, cached by device, source and constants. */

interface Caches {
  modules: Map<string, GPUShaderModule>;
  compiled: Map<string, GPUComputePipeline>;
  pending: Map<string, Promise<GPUComputePipeline>>;
}

const caches = new WeakMap<GPUDevice, Caches>();

function cachesOf(device: GPUDevice): Caches {
  const known = caches.get(device);
  if (known) return known;
  const made: Caches = { modules: new Map(), compiled: new Map(), pending: new Map() };
  caches.set(device, made);
  return made;
}

/**
 * The driver rejected a kernel. The message names the kernel and quotes the compiler's first error.
 */
export class ShaderError extends Error {
  readonly kernel: string;

  constructor(kernel: string, detail: string) {
    super(`The GPU kernel ${kernel} does not compile here: ${detail}`);
    this.kernel = kernel;
  }
}

interface Source {
  name: string;
  code: string;
  constants?: Record<string, number>;
}

function keyOf(source: Source): string {
  return `${JSON.stringify(source.constants ?? {})}\n${source.code}`;
}

function descriptorOf(device: GPUDevice, source: Source): GPUComputePipelineDescriptor {
  const { modules } = cachesOf(device);
  let module = modules.get(source.code);
  if (!module) {
    module = device.createShaderModule({ code: source.code, label: source.name });
    modules.set(source.code, module);
  }
  return {
    label: source.name,
    layout: 'auto',
    compute: { module, entryPoint: 'main', constants: source.constants },
  };
}

/** Compiles synchronously, for op-by-op mode. Errors are reported as `uncapturederror`. */
export function pipelineNow(device: GPUDevice, source: Source): GPUComputePipeline {
  const { compiled } = cachesOf(device);
  const key = keyOf(source);
  let pipeline = compiled.get(key);
  if (!pipeline) {
    pipeline = device.createComputePipeline(descriptorOf(device, source));
    compiled.set(key, pipeline);
  }
  return pipeline;
}

/** Compiles in the background. Rejects with a ShaderError. */
export function pipelineAsync(device: GPUDevice, source: Source): Promise<GPUComputePipeline> {
  const { compiled, pending } = cachesOf(device);
  const key = keyOf(source);
  const done = compiled.get(key);
  if (done) return Promise.resolve(done);
  const waiting = pending.get(key);
  if (waiting) return waiting;
  const promise = compile(device, source).then((pipeline) => {
    compiled.set(key, pipeline);
    pending.delete(key);
    return pipeline;
  });
  pending.set(key, promise);
  return promise;
}

async function compile(device: GPUDevice, source: Source): Promise<GPUComputePipeline> {
  const descriptor = descriptorOf(device, source);
  try {
    return await device.createComputePipelineAsync(descriptor);
  } catch (error) {
    const { messages } = await descriptor.compute.module.getCompilationInfo();
    const first = messages.find((message) => message.type === 'error');
    if (first) throw new ShaderError(source.name, `${first.message} (line ${first.lineNum})`);
    throw new ShaderError(source.name, error instanceof Error ? error.message : String(error));
  }
}

/** Packs scalars as a uniform struct of 4-byte members, padded to a multiple of 16 bytes. */
export function packParams(
  params: readonly (readonly ['u32' | 'i32' | 'f32', number])[],
): ArrayBuffer {
  const view = new DataView(new ArrayBuffer(Math.ceil(params.length / 4) * 16));
  params.forEach(([kind, value], i) => {
    switch (kind) {
      case 'u32':
        view.setUint32(4 * i, value, true);
        break;
      case 'i32':
        view.setInt32(4 * i, value, true);
        break;
      case 'f32':
        view.setFloat32(4 * i, value, true);
        break;
      default:
        kind satisfies never;
    }
  });
  return view.buffer;
}
