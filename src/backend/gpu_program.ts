/** Programs on WebGPU: each command is a dispatch with a pipeline and a bind group. */
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import { type BufferRange, gpuRange } from './buffer_range.ts';
import type { Command, GpuWork } from './commands.ts';
import { lacksKernel, loadAllKernels } from './kernels.ts';
import type { Placement, PrunedTrace } from './placement.ts';
import { webgpu } from './state.ts';
import { type CapturedDispatch, captureTfjs, flushTfjs, settlePipelines } from './tfjs_private.ts';
import type { Trace } from './trace.ts';
import { packUniforms } from './uniforms.ts';

/** One dispatch, ready to be encoded. */
interface Step {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  workgroups: readonly [number, number, number];
}

/** Calls `fn`, which traces, while tfjs's dispatches are recorded in the trace as well. */
export function capturingTfjs<T>(trace: Trace, fn: () => T): T {
  const { backend } = webgpu();
  flushTfjs(backend);
  const release = captureTfjs(backend, (call) => addCaptured(trace, call));
  try {
    return fn();
  } finally {
    release();
  }
}

function addCaptured(trace: Trace, call: CapturedDispatch): void {
  const { name, output, inputs, pipeline, uniform, workgroups } = call;
  trace.addCaptured({ name, output, inputs }, { on: 'gpu', pipeline, uniform, workgroups });
}

/** Calls `fn` again with all of tfjs's kernels if one was missing. */
export async function withMissingKernels<T>(fn: () => T): Promise<T> {
  try {
    return fn();
  } catch (error) {
    if (!lacksKernel(error)) throw error;
    await loadAllKernels();
    return fn();
  }
}

/** The pipeline of each command. Rejects with ShaderError. */
export async function pipelinesOf(
  backend: WebGPUBackend,
  commands: readonly Command[],
): Promise<GPUComputePipeline[]> {
  const pipelines = await Promise.all(commands.map((command) => gpuWork(command).pipeline));
  await settlePipelines(backend);
  return pipelines;
}

function gpuWork({ name, work }: Command): GpuWork {
  if (work.on !== 'gpu') throw new TypeError(`${name} is no dispatch of the GPU.`);
  return work;
}

/** Encodes the commands with index in [from, to) into a pass. */
export type Encode = (pass: GPUComputePassEncoder, from?: number, to?: number) => void;

/** Creates uniforms and bind groups, and returns what encodes the commands. */
export function encoderOf(
  { trace, commands }: PrunedTrace,
  pipelines: readonly GPUComputePipeline[],
  placement: Placement,
): Encode {
  const { device } = webgpu();
  const steps = stepsOf(device, { trace, commands, pipelines, placement });
  return (pass, from = 0, to = steps.length) => {
    let last: GPUComputePipeline | null = null;
    for (let index = from; index < to; index++) {
      const step = steps[index];
      if (!step) throw new RangeError(`The program ${trace.name} has no command ${index}.`);
      if (step.pipeline !== last) pass.setPipeline(step.pipeline);
      last = step.pipeline;
      pass.setBindGroup(0, step.group);
      pass.dispatchWorkgroups(...step.workgroups);
    }
  };
}

interface StepParts {
  trace: Trace;
  commands: readonly Command[];
  pipelines: readonly GPUComputePipeline[];
  placement: Placement;
}

function stepsOf(device: GPUDevice, { trace, commands, pipelines, placement }: StepParts): Step[] {
  const works = commands.map(gpuWork);
  const uniforms = packUniforms(device, works, (size) => {
    const buffer = device.createBuffer({
      label: `${trace.name}: uniforms`,
      size: Math.ceil(Math.max(size, 4) / 16) * 16,
      usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST,
    });
    placement.own.push(buffer);
    return buffer;
  });
  return commands.map((command, index): Step => {
    const pipeline = pipelines[index];
    const work = works[index];
    if (!pipeline || !work) throw new Error(`The kernel ${command.name} was not compiled.`);
    const resources: BufferRange[] = command.bindings.map(placement.rangeOf);
    const uniform = uniforms[index];
    if (uniform) resources.push(uniform);
    const group = device.createBindGroup({
      label: command.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: resources.map((range, binding) => ({ binding, resource: gpuRange(range) })),
    });
    return { pipeline, group, workgroups: work.workgroups };
  });
}
