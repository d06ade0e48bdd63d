/**
 * The only module that uses tfjs's private members, those of the pinned version 4.22.0. The rest of
 * the project sees the typed functions below. `any` is allowed here and nowhere else.
 */
/* eslint-disable @typescript-eslint/no-explicit-any,
   @typescript-eslint/no-unsafe-member-access,
   @typescript-eslint/no-unsafe-assignment,
   @typescript-eslint/no-unsafe-call,
   @typescript-eslint/no-unsafe-return
   -- tfjs does not export the types of its private members. */
import { engine, env, type DataType, type Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { type BufferRange, type GpuRange, gpuRange } from './buffer_range.ts';
import { storageOf } from './float16.ts';
import type { Residence } from './tensor_memory.ts';

/** Private members that this module uses. */
const MEMBERS = [
  ...['device', 'queue', 'tensorMap', 'bufferManager', 'pipelineCache', 'commandQueueOwnedIds'],
  ...['uniformPendingDisposal', 'uploadToGPU', 'runWebGPUProgram', 'recordAndSubmit'],
  ...['makeUniforms', 'tensorToBinding', 'makeTensorInfo', 'ensureCommandEncoderReady'],
  ...['endComputePassEncoder', 'submitQueue', 'getBufferData', 'readSync', 'copyBuffer'],
  'checkCompileCompletionAsync',
];

/** Throws one error that names every missing private member, if tfjs has another version. */
export function assertPrivateMembers(backend: WebGPUBackend): void {
  const missing = MEMBERS.filter((member) => !(member in (backend as any)));
  if (missing.length > 0)
    throw new Error(
      `tfjs is not the pinned version 4.22.0: its WebGPU backend has no ${missing.join(', ')}.`,
    );
}

function entryOf(backend: WebGPUBackend, dataId: object): any {
  return (backend as any).tensorMap.get(dataId);
}

/** Throws if the tensor has been disposed. */
export function residence(backend: WebGPUBackend, dataId: object): Residence {
  const entry = entryOf(backend, dataId);
  if (!entry) throw new Error('A tensor was used after it had been disposed.');
  const resource = entry.resource;
  if (resource instanceof GPUBuffer)
    return { on: 'device', range: { buffer: resource, offset: 0, size: resource.size } };
  if (resource != null) return { on: 'device', range: resource as BufferRange };
  if (entry.values != null) return { on: 'host', values: entry.values };
  return { on: 'nowhere' };
}

/** Makes the tensor a view of a range that we own: tfjs neither pools nor frees it. */
export function bindRange(backend: WebGPUBackend, dataId: object, range: BufferRange): void {
  const entry = entryOf(backend, dataId);
  entry.resource = gpuRange(range);
  entry.external = true;
  entry.values = null;
}

/** A tensor without memory. */
export function placeholder(
  backend: WebGPUBackend,
  shape: readonly number[],
  dtype: DataType,
): Tensor {
  return engine().makeTensorFromTensorInfo(
    (backend as any).makeTensorInfo([...shape], dtype) as TensorInfo,
  );
}

/** Gives the tensor a buffer of tfjs's pool if it has none, and uploads its values if it has any. */
export function ensureOnGpu(backend: WebGPUBackend, dataId: object): GpuRange {
  (backend as any).uploadToGPU(dataId);
  const where = residence(backend, dataId);
  if (where.on !== 'device') throw new Error('tfjs did not place a tensor on the GPU.');
  return gpuRange(where.range);
}

/** Submits what tfjs has encoded so far, so that our own submits and uploads come after it. */
export function flushTfjs(backend: WebGPUBackend): void {
  const tfjs = backend as any;
  if (!tfjs.commandEncoder) return;
  tfjs.endComputePassEncoder();
  tfjs.submitQueue();
}

/** One of our own dispatches, op by op. */
export interface EncodedDispatch {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  workgroups: readonly [number, number, number];
  /** tfjs must not reuse the buffers of these tensors before the dispatch is submitted. */
  used: readonly Tensor[];
}

/** Encodes one of our own dispatches between tfjs's, in op-by-op mode. */
export function encodeInto(backend: WebGPUBackend, dispatch: EncodedDispatch): void {
  const tfjs = backend as any;
  for (const tensor of dispatch.used) tfjs.commandQueueOwnedIds.add(tensor.dataId);
  tfjs.ensureCommandEncoderReady();
  tfjs.computePassEncoder ??= tfjs.commandEncoder.beginComputePass({});
  tfjs.computePassEncoder.setPipeline(dispatch.pipeline);
  tfjs.computePassEncoder.setBindGroup(0, dispatch.group);
  tfjs.computePassEncoder.dispatchWorkgroups(...dispatch.workgroups);
  tfjs.dispatchCountInPass++;
  if (env().getNumber('WEBGPU_DEFERRED_SUBMIT_BATCH_SIZE') <= tfjs.dispatchCountInPass)
    flushTfjs(backend);
}

/** A uniform buffer that is freed after the current batch of op-by-op dispatches is submitted. */
export function temporaryUniform(backend: WebGPUBackend, data: ArrayBuffer): GPUBuffer {
  const tfjs = backend as any;
  const buffer: GPUBuffer = tfjs.bufferManager.acquireBuffer(
    data.byteLength,
    GPUBufferUsage.COPY_DST | GPUBufferUsage.UNIFORM,
  );
  tfjs.queue.writeBuffer(buffer, 0, data);
  tfjs.uniformPendingDisposal.push(buffer);
  return buffer;
}

/** Bytes that tfjs's buffer pool has allocated, and those of them in use. */
export function poolBytes(backend: WebGPUBackend): { allocated: number; used: number } {
  const manager = (backend as any).bufferManager;
  return { allocated: manager.numBytesAllocated, used: manager.numBytesUsed };
}

let tfjsRuns = 0;

/** Number of calls of tfjs's `runWebGPUProgram` so far, those in traces included. */
export function tfjsProgramRuns(): number {
  return tfjsRuns;
}

/**
 * From now on, counts tfjs's dispatches, and throws if one is passed a tensor stored as float16,
 * which tfjs's kernels would read as float32.
 */
export function countTfjsRuns(backend: WebGPUBackend): void {
  const tfjs = backend as any;
  const run = tfjs.runWebGPUProgram;
  tfjs.runWebGPUProgram = (program: any, inputs: TensorInfo[], ...rest: unknown[]) => {
    tfjsRuns++;
    if (inputs.some((tensor) => storageOf(tensor) === 'float16'))
      throw new Error(
        `tfjs's ${program.constructor.name} was passed a tensor that is stored as float16.`,
      );
    return run.call(tfjs, program, inputs, ...rest);
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
 * From now on, tfjs's kernels don't run: each dispatch is compiled asynchronously and passed to
 * `sink`. Reading back and copying outside of a dispatch throw. Returns a function that restores
 * tfjs.
 */
export function captureTfjs(
  backend: WebGPUBackend,
  sink: (call: CapturedDispatch) => void,
): () => void {
  const tfjs = backend as any;
  const forwardsToCpu = env().getBool('WEBGPU_CPU_FORWARD');
  const compilesOnly = env().getBool('WEBGPU_ENGINE_COMPILE_ONLY');
  env().set('WEBGPU_CPU_FORWARD', false);
  env().set('WEBGPU_ENGINE_COMPILE_ONLY', true);
  const refused = ['getBufferData', 'readSync', 'copyBuffer', 'read'];
  for (const member of refused)
    tfjs[member] = () => {
      throw new Error(`${member} inside a traced program: nothing in it may read back or copy.`);
    };
  tfjs.uploadToGPU = () => undefined;
  const run = tfjs.runWebGPUProgram;
  // tfjs's arguments: program, inputs, dtype of the output, uniforms, output.
  tfjs.runWebGPUProgram = (...call: [any, TensorInfo[], DataType, unknown, TensorInfo?]) => {
    const [program, inputs, , uniforms] = call;
    const output: TensorInfo = run.apply(tfjs, call);
    if (output.shape.every((size) => size > 0))
      sink(captureDispatch(tfjs, { program, inputs, output, uniforms }));
    return output;
  };
  return () => {
    for (const member of ['uploadToGPU', ...refused]) delete tfjs[member];
    tfjs.runWebGPUProgram = run;
    env().set('WEBGPU_CPU_FORWARD', forwardsToCpu);
    env().set('WEBGPU_ENGINE_COMPILE_ONLY', compilesOnly);
  };
}

interface TfjsCall {
  program: any;
  inputs: TensorInfo[];
  output: TensorInfo;
  uniforms: unknown;
}

/** Members of the backend that `captureDispatch` replaces while tfjs records one dispatch. */
const REPLACED = [
  'device',
  'queue',
  'bufferManager',
  'commandQueueOwnedIds',
  'computePassEncoder',
  'commandEncoder',
  'dispatchCountInPass',
] as const;

/**
 * Lets tfjs lay out the uniforms and set the workgroups of one dispatch against mock objects, and
 * records what it set.
 */
function captureDispatch(tfjs: any, { program, inputs, output, uniforms }: TfjsCall) {
  const captured: CapturedDispatch = {
    name: program.constructor.name,
    pipeline: Promise.resolve(program.pipeline),
    output,
    inputs,
    uniform: new ArrayBuffer(0),
    workgroups: [0, 0, 0],
  };
  const kept = REPLACED.map((member) => tfjs[member]);
  program.pipeline = { getBindGroupLayout: () => null };
  tfjs.device = { createBindGroup: () => null };
  tfjs.queue = {
    writeBuffer: (_buffer: unknown, _offset: number, data: ArrayBuffer) => {
      captured.uniform = data;
    },
  };
  tfjs.bufferManager = { acquireBuffer: () => null };
  tfjs.commandQueueOwnedIds = new WeakSet();
  tfjs.commandEncoder = {};
  tfjs.computePassEncoder = {
    setPipeline: () => undefined,
    setBindGroup: () => undefined,
    end: () => undefined,
    dispatchWorkgroups: (x: number, y = 1, z = 1) => {
      captured.workgroups = [x, y, z];
    },
  };
  // Low enough that tfjs does not submit.
  tfjs.dispatchCountInPass = -1e9;
  tfjs.tensorToBinding = () => null;
  try {
    tfjs.recordAndSubmit(program, output, inputs, uniforms);
  } finally {
    REPLACED.forEach((member, i) => (tfjs[member] = kept[i]));
    tfjs.uniformPendingDisposal.pop();
    delete tfjs.tensorToBinding;
  }
  return captured;
}

/**
 * Replaces the promises that a trace left in tfjs's pipeline cache by their pipelines, so that
 * op-by-op use finds them.
 */
export async function settlePipelines(backend: WebGPUBackend): Promise<void> {
  await (backend as any).checkCompileCompletionAsync();
}
