/** Compute pipelines of our own kernels, by source and constants, one set a device. */

const modules = new WeakMap<GPUDevice, Map<string, GPUShaderModule>>();
const compiled = new WeakMap<GPUDevice, Map<string, GPUComputePipeline>>();
const pending = new WeakMap<GPUDevice, Map<string, Promise<GPUComputePipeline>>>();

/**
 * A kernel that the driver refused. The message names it and quotes the first error of the
 * compiler.
 */
export class ShaderError extends Error {
  constructor(
    readonly kernel: string,
    detail: string,
  ) {
    super(`The GPU kernel ${kernel} does not compile here: ${detail}`);
  }
}

function of<K extends object, V>(store: WeakMap<K, Map<string, V>>, key: K): Map<string, V> {
  let m = store.get(key);
  if (!m) store.set(key, (m = new Map<string, V>()));
  return m;
}

interface Source {
  name: string;
  code: string;
  constants?: Record<string, number>;
}
const keyOf = (s: Source): string => `${JSON.stringify(s.constants ?? {})}\n${s.code}`;

function descriptor(device: GPUDevice, s: Source): GPUComputePipelineDescriptor {
  const all = of(modules, device);
  let module = all.get(s.code);
  if (!module)
    all.set(s.code, (module = device.createShaderModule({ code: s.code, label: s.name })));
  return {
    label: s.name,
    layout: 'auto',
    compute: { module, entryPoint: 'main', constants: s.constants },
  };
}

/** Compiles now and waits for it: op-by-op mode. Errors arrive as `uncapturederror`. */
export function pipelineNow(device: GPUDevice, s: Source): GPUComputePipeline {
  const all = of(compiled, device);
  const key = keyOf(s);
  let p = all.get(key);
  if (!p) all.set(key, (p = device.createComputePipeline(descriptor(device, s))));
  return p;
}

/** Compiles in the background. Rejects with a ShaderError. */
export function pipelineSoon(device: GPUDevice, s: Source): Promise<GPUComputePipeline> {
  const done = of(compiled, device).get(keyOf(s));
  if (done) return Promise.resolve(done);
  const waiting = of(pending, device);
  const key = keyOf(s);
  let p = waiting.get(key);
  if (!p) {
    p = compile(device, s).then((pipeline) => {
      of(compiled, device).set(key, pipeline);
      waiting.delete(key);
      return pipeline;
    });
    waiting.set(key, p);
  }
  return p;
}

async function compile(device: GPUDevice, s: Source): Promise<GPUComputePipeline> {
  const d = descriptor(device, s);
  try {
    return await device.createComputePipelineAsync(d);
  } catch (error) {
    const info = await d.compute.module.getCompilationInfo();
    const first = info.messages.find((m) => m.type === 'error');
    throw new ShaderError(
      s.name,
      first
        ? `${first.message} (line ${first.lineNum})`
        : error instanceof Error
          ? error.message
          : String(error),
    );
  }
}

/** Packs scalars as a uniform struct of 4-byte members, padded to 16 bytes. */
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
