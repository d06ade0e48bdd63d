/**
 * The one module that touches tfjs's private members, of the pinned version 4.22.0 alone.
 * Everything else in the project sees the typed functions below. `any` is allowed here and nowhere
 * else.
 */
/* eslint-disable @typescript-eslint/no-explicit-any,
   @typescript-eslint/no-unsafe-member-access,
   @typescript-eslint/no-unsafe-assignment,
   @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-return
   -- tfjs does not export the types of its private members. */
import { engine, env, type DataType, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { storageOf } from './halves.ts';

/** A range of a GPU buffer. tfjs binds it as it is, so a tensor can be a view. */
export interface BufferRange {
  buffer: GPUBuffer;
  offset: number;
  size: number;
}

const MEMBERS = [
  'device',
  'queue',
  'tensorMap',
  'bufferManager',
  'pipelineCache',
  'commandQueueOwnedIds',
  'uniformPendingDisposal',
  'uploadToGPU',
  'runWebGPUProgram',
  'recordAndSubmit',
  'makeUniforms',
  'tensorToBinding',
  'makeTensorInfo',
  'ensureCommandEncoderReady',
  'endComputePassEncoder',
  'submitQueue',
  'getBufferData',
  'readSync',
  'copyBuffer',
  'checkCompileCompletionAsync',
];

/** Says at start, in one error, which private member is missing (a tfjs of another version). */
export function assertPrivateMembers(backend: WebGPUBackend): void {
  const missing = MEMBERS.filter((m) => !(m in (backend as any)));
  if (missing.length > 0)
    throw new Error(
      `tfjs is not the pinned version 4.22.0: its WebGPU backend has no ${missing.join(', ')}.`,
    );
}

/** Where a tensor's values are: in a GPU range, on the CPU, or nowhere yet. */
export type Residence =
  | { on: 'gpu'; range: BufferRange }
  | { on: 'cpu'; values: Float32Array | Int32Array | Uint8Array }
  | { on: 'nowhere' };

const entryOf = (backend: WebGPUBackend, dataId: object): any =>
  (backend as any).tensorMap.get(dataId);

export function residence(backend: WebGPUBackend, dataId: object): Residence {
  const entry = entryOf(backend, dataId);
  if (!entry) throw new Error('A tensor was used after it had been disposed.');
  const resource = entry.resource;
  if (resource instanceof GPUBuffer)
    return { on: 'gpu', range: { buffer: resource, offset: 0, size: resource.size } };
  if (resource != null) return { on: 'gpu', range: resource as BufferRange };
  if (entry.values != null) return { on: 'cpu', values: entry.values };
  return { on: 'nowhere' };
}

/** Makes the tensor a view of a range that we own: tfjs neither pools nor frees it. */
export function bindRange(backend: WebGPUBackend, dataId: object, range: BufferRange): void {
  const entry = entryOf(backend, dataId);
  entry.resource = range;
  entry.external = true;
  entry.values = null;
}

/** A tensor whose data nobody has placed yet. */
export function placeholder(
  backend: WebGPUBackend,
  shape: readonly number[],
  dtype: DataType,
): Tensor {
  return engine().makeTensorFromTensorInfo(
    (backend as any).makeTensorInfo([...shape], dtype) as TensorInfo,
  );
}

/**
 * Gives the tensor a buffer of tfjs's pool (op-by-op mode), uploading its values if it has some.
 */
export function ensureOnGpu(backend: WebGPUBackend, dataId: object): BufferRange {
  (backend as any).uploadToGPU(dataId);
  const r = residence(backend, dataId);
  if (r.on !== 'gpu') throw new Error('tfjs did not place a tensor on the GPU.');
  return r.range;
}

/** Submits what tfjs has encoded so far, so that our own submits and uploads come after it. */
export function flushTfjs(backend: WebGPUBackend): void {
  const be = backend as any;
  if (!be.commandEncoder) return;
  be.endComputePassEncoder();
  be.submitQueue();
}

/** Encodes one dispatch of ours between tfjs's, in op-by-op mode. */
export function encodeInto(
  backend: WebGPUBackend,
  pipeline: GPUComputePipeline,
  group: GPUBindGroup,
  workgroups: readonly [number, number, number],
  used: readonly Tensor[],
): void {
  const be = backend as any;
  for (const t of used) be.commandQueueOwnedIds.add(t.dataId);
  be.ensureCommandEncoderReady();
  if (!be.computePassEncoder) be.computePassEncoder = be.commandEncoder.beginComputePass({});
  be.computePassEncoder.setPipeline(pipeline);
  be.computePassEncoder.setBindGroup(0, group);
  be.computePassEncoder.dispatchWorkgroups(...workgroups);
  be.dispatchCountInPass++;
  if (env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') <= be.dispatchCountInPass)
    flushTfjs(backend);
}

/** A uniform buffer that lives until the present batch of op-by-op dispatches is submitted. */
export function passingUniform(backend: WebGPUBackend, data: ArrayBuffer): GPUBuffer {
  const be = backend as any;
  const buffer: GPUBuffer = be.bufferManager.acquireBuffer(
    data.byteLength,
    GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM,
  );
  be.queue.writeBuffer(buffer, 0, data);
  be.uniformPendingDisposal.push(buffer);
  return buffer;
}

/** Bytes that tfjs's pool holds free, of those it has allocated. */
export function poolBytes(backend: WebGPUBackend): { allocated: number; used: number } {
  const manager = (backend as any).bufferManager;
  return { allocated: manager.numBytesAllocated, used: manager.numBytesUsed };
}

let tfjsRuns = 0;
/** Calls of `runWebGPUProgram` so far, traces included: a replay adds none. */
export const tfjsProgramRuns = (): number => tfjsRuns;

/**
 * Counts them from now on, and refuses tensors stored as halves, which tfjs's kernels would read as
 * float32.
 */
export function countTfjsRuns(backend: WebGPUBackend): void {
  const be = backend as any;
  const run = be.runWebGPUProgram;
  be.runWebGPUProgram = (program: any, inputs: TensorInfo[], ...rest: unknown[]) => {
    tfjsRuns++;
    if (inputs.some((t) => storageOf(t) === 'float16'))
      throw new Error(`tfjs's ${program.constructor.name} was handed a tensor stored as halves.`);
    return run.call(be, program, inputs, ...rest);
  };
}

/** One dispatch of tfjs's, as it would have been encoded. */
export interface CapturedDispatch {
  name: string;
  pipeline: Promise<GPUComputePipeline>;
  output: TensorInfo;
  inputs: readonly TensorInfo[];
  uniform: ArrayBuffer;
  workgroups: [number, number, number];
}

/**
 * From now on tfjs's kernels run nowhere: each dispatch is compiled asynchronously and handed to
 * `sink`. Reading back or copying outside a dispatch is an error. Returns the function that puts
 * everything back.
 */
export function captureTfjs(
  backend: WebGPUBackend,
  sink: (d: CapturedDispatch) => void,
): () => void {
  const be = backend as any;
  const before = {
    cpu: env().getBool('WEBGPU_CPU_FORWARD'),
    only: env().getBool('WEBGPU_ENGINE_COMPILE_ONLY'),
  };
  env().set('WEBGPU_CPU_FORWARD', false);
  env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  const refuse = (what: string) => () => {
    throw new Error(`${what} inside a traced program: nothing in it may read back or copy.`);
  };
  const run = be.runWebGPUProgram;
  be.uploadToGPU = () => undefined;
  be.runWebGPUProgram = (
    program: any,
    inputs: TensorInfo[],
    dtype: DataType,
    uniforms: unknown,
    output?: TensorInfo,
  ) => {
    const out: TensorInfo = run.call(be, program, inputs, dtype, uniforms, output);
    if (out.shape.every((n) => n > 0)) sink(encodeNowhere(be, program, out, inputs, uniforms));
    return out;
  };
  for (const m of ['getBufferData', 'readSync', 'copyBuffer', 'read']) be[m] = refuse(m);
  return () => {
    for (const m of ['uploadToGPU', 'getBufferData', 'readSync', 'copyBuffer', 'read'])
      delete be[m];
    be.runWebGPUProgram = run;
    env().set('WEBGPU_CPU_FORWARD', before.cpu);
    env().set('WEBGPU_ENGINE_COMPILE_ONLY', before.only);
  };
}

/**
 * Lets tfjs lay out the uniforms and set the dispatch of one program against stand-ins, and keeps
 * what it did.
 */
function encodeNowhere(
  be: any,
  program: any,
  output: TensorInfo,
  inputs: TensorInfo[],
  uniforms: unknown,
): CapturedDispatch {
  const pipeline = Promise.resolve(
    program.pipeline as GPUComputePipeline | Promise<GPUComputePipeline>,
  );
  const kept = {
    device: be.device,
    queue: be.queue,
    bufferManager: be.bufferManager,
    owned: be.commandQueueOwnedIds,
    pass: be.computePassEncoder,
    encoder: be.commandEncoder,
    count: be.dispatchCountInPass,
  };
  let uniform = new ArrayBuffer(0);
  let workgroups: [number, number, number] = [0, 0, 0];
  program.pipeline = { getBindGroupLayout: () => null };
  be.device = { createBindGroup: () => null };
  be.queue = {
    writeBuffer: (_b: unknown, _o: number, data: ArrayBuffer) => {
      uniform = data;
    },
  };
  be.bufferManager = { acquireBuffer: () => null };
  be.commandQueueOwnedIds = new WeakSet();
  be.commandEncoder = {};
  be.computePassEncoder = {
    setPipeline() {},
    setBindGroup() {},
    end() {},
    dispatchWorkgroups: (x: number, y = 1, z = 1) => {
      workgroups = [x, y, z];
    },
  };
  be.dispatchCountInPass = -1e9;
  be.tensorToBinding = () => null;
  try {
    be.recordAndSubmit(program, output, inputs, uniforms);
  } finally {
    be.device = kept.device;
    be.queue = kept.queue;
    be.bufferManager = kept.bufferManager;
    be.commandQueueOwnedIds = kept.owned;
    be.computePassEncoder = kept.pass;
    be.commandEncoder = kept.encoder;
    be.dispatchCountInPass = kept.count;
    be.uniformPendingDisposal.pop();
    delete be.tensorToBinding;
  }
  return { name: program.constructor.name, pipeline, output, inputs, uniform, workgroups };
}

/**
 * After a trace: promises in tfjs's pipeline cache become pipelines, so that op-by-op use finds
 * them.
 */
export async function settlePipelines(backend: WebGPUBackend): Promise<void> {
  await (backend as any).checkCompileCompletionAsync();
}
