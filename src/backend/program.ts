/**
 * Programs: functions over tensors that are traced once and replayed on WebGPU, and called again
 * for each run elsewhere. Whatever changes from step to step must be read from tensors of a Store.
 */
import { dispose, keep, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { arenaOf } from './arena.ts';
import { prune, type Ref } from './commands.ts';
import { lacksKernel, loadAllKernels } from './kernels.ts';
import { type Compiled, place, type Placed } from './place.ts';
import type { Boundary, Outputs, Program } from './program_types.ts';
import { state, webgpu } from './state.ts';
import { submit } from './submit.ts';
import { bindRange, captureTfjs, flushTfjs, settlePipelines } from './tfjs_private.ts';
import { Trace } from './trace.ts';

/** A tensor of a program is larger than one binding may be on this device. */
export class BindingTooLarge extends Error {
  readonly bytes: number;
  readonly limit: number;
  readonly tensor: string;

  constructor(bytes: number, limit: number, tensor: string) {
    super(
      `One tensor of the model (in ${tensor}) takes ${megabytes(bytes)}, ` +
        `and this device binds at most ${megabytes(limit)} at once.`,
    );
    this.bytes = bytes;
    this.limit = limit;
    this.tensor = tensor;
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MB`;
}

/**
 * Compiles `fn` to a program. On WebGPU `fn` is traced with placeholders before this function
 * returns, its kernels compile in the background, and the first run is already a replay. Elsewhere,
 * and in op-by-op mode, each run calls `fn`. Rejects with ShaderError or BindingTooLarge.
 */
export async function compileProgram<O extends Outputs>(
  name: string,
  fn: () => O,
): Promise<Program<O>> {
  return state.webgpu && state.mode === 'replay' ? traceAndCompile(name, fn) : opByOp(name, fn);
}

function opByOp<O extends Outputs>(name: string, fn: () => O): Program<O> {
  let outputs: O | null = null;
  const clear = (): void => {
    if (outputs) dispose(Object.values(outputs));
    outputs = null;
  };
  return {
    name,
    dispatches: null,
    kernels: [],
    inPlace: [],
    boundaries: [],
    ownBytes: 0,
    scratchBytes: 0,
    encode: null,
    get outputs() {
      if (!outputs) throw new Error(`The program ${name} has not run yet.`);
      return outputs;
    },
    run() {
      clear();
      outputs = keepOutputs(fn);
    },
    dispose: clear,
  };
}

/** Calls `fn` in a tidy that disposes everything except its outputs. */
function keepOutputs<O extends Outputs>(fn: () => O): O {
  const result: { outputs?: O } = {};
  tidy(() => {
    result.outputs = fn();
    for (const tensor of Object.values(result.outputs)) keep(tensor);
  });
  if (!result.outputs) throw new Error('The function of a program returned nothing.');
  return result.outputs;
}

interface Traced<O> {
  trace: Trace;
  outputs: O;
}

async function traceAndCompile<O extends Outputs>(name: string, fn: () => O): Promise<Program<O>> {
  let traced: Traced<O>;
  try {
    traced = traceNow(name, fn);
  } catch (error) {
    if (!lacksKernel(error)) throw error;
    await loadAllKernels();
    traced = traceNow(name, fn);
  }
  const { trace, outputs } = traced;
  const tensors = Object.values(outputs);
  try {
    const kept = tensors.map((tensor) => trace.refOf(tensor));
    const { compiled, placed } = await placeInOrder(compile(trace, kept));
    bindAll(tensors, placed.outputs);
    bindAll(boundaryTensors(trace), placed.boundaries);
    return replayed(outputs, compiled, placed);
  } catch (error) {
    dispose([...tensors, ...boundaryTensors(trace)]);
    throw error;
  }
}

function traceNow<O extends Outputs>(name: string, fn: () => O): Traced<O> {
  const { backend, device } = webgpu();
  if (state.trace) throw new Error(`The program ${name} is compiled inside another one.`);
  flushTfjs(backend);
  const trace = new Trace(backend, device, name);
  state.trace = trace;
  const release = captureTfjs(backend, (call) => trace.addCaptured(call));
  try {
    return { trace, outputs: keepOutputs(fn) };
  } catch (error) {
    dispose(boundaryTensors(trace));
    throw error;
  } finally {
    release();
    state.trace = null;
  }
}

function boundaryTensors(trace: Trace): Tensor[] {
  return trace.boundaries.map((boundary) => boundary.tensor);
}

function bindAll(tensors: readonly Tensor[], ranges: Placed['outputs']): void {
  const { backend } = webgpu();
  tensors.forEach((tensor, i) => {
    const range = ranges[i];
    if (range) bindRange(backend, tensor.dataId, range);
  });
}

async function compile(trace: Trace, kept: readonly Ref[]): Promise<Compiled> {
  const { backend, device } = webgpu();
  const { commands, boundaries } = prune(trace.commands, trace.boundaries, kept);
  const limit = device.limits.maxStorageBufferBindingSize;
  for (const { bytes, name } of trace.transients)
    if (bytes > limit) throw new BindingTooLarge(bytes, limit, name);
  const pipelines = await Promise.all(commands.map((command) => command.pipeline));
  await settlePipelines(backend);
  return { trace, commands, boundaries, kept, pipelines };
}

let placing: Promise<unknown> = Promise.resolve();

/**
 * Kernels of several programs compile concurrently, but buffers are allocated in the order in which
 * the programs were traced, whichever is compiled first: scratch is shared, and a small program
 * placed first would leave buffers that fit no other program.
 */
function placeInOrder(
  compiling: Promise<Compiled>,
): Promise<{ compiled: Compiled; placed: Placed }> {
  const placed = Promise.all([compiling, placing]).then(([compiled]) => ({
    compiled,
    placed: place(webgpu().device, compiled),
  }));
  placing = Promise.allSettled([placing, placed]);
  return placed;
}

function replayed<O extends Outputs>(
  outputs: O,
  { trace, commands, boundaries }: Compiled,
  placed: Placed,
): Program<O> {
  const { device } = webgpu();
  const { name } = trace;
  const encode = (pass: GPUComputePassEncoder, from = 0, to = placed.steps.length): void => {
    let last: GPUComputePipeline | null = null;
    for (let index = from; index < to; index++) {
      const step = placed.steps[index];
      if (!step) throw new RangeError(`The program ${name} has no command ${index}.`);
      if (step.pipeline !== last) pass.setPipeline(step.pipeline);
      last = step.pipeline;
      pass.setBindGroup(0, step.group);
      pass.dispatchWorkgroups(...step.workgroups);
    }
  };
  const program: Program<O> = {
    name,
    outputs,
    dispatches: placed.steps.length,
    kernels: commands.map((command) => command.name),
    inPlace: writtenOutside({ commands, boundaries }),
    boundaries: boundaries.map(({ command, tensor, collective }, i): Boundary => {
      const range = placed.boundaries[i];
      if (!range) throw new RangeError(`The program ${name} has no boundary ${i}.`);
      return { command, range, tensor, collective };
    }),
    ownBytes: placed.own.reduce((sum, buffer) => sum + buffer.size, 0),
    scratchBytes: placed.scratchBytes,
    encode,
    run: () => submit([program]),
    dispose: () => {
      dispose([...Object.values(outputs), ...boundaries.map((boundary) => boundary.tensor)]);
      for (const buffer of placed.own) buffer.destroy();
      arenaOf(device).release(placed.scratch);
    },
  };
  return program;
}

/** Buffers that exist outside of the program and that it writes. */
function writtenOutside({
  commands,
  boundaries,
}: Pick<Compiled, 'commands' | 'boundaries'>): GPUBuffer[] {
  const written = [
    ...commands.flatMap((command) => command.bindings.slice(0, command.written)),
    ...boundaries.map((boundary) => boundary.ref),
  ];
  return [...new Set(written.flatMap((ref) => (ref.kind === 'range' ? [ref.range.buffer] : [])))];
}
