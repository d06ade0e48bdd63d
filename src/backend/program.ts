/**
 * Programs: functions over tensors that are traced once and replayed on WebGPU and on the engine on
 * the processor, and called again for each run elsewhere. Whatever changes from step to step must
 * be read from tensors of a Store.
 */
import { dispose, keep, type Tensor, tidy } from '@tensorflow/tfjs-core';
import type { Arena } from './arena.ts';
import type { DeviceBuffer } from './buffer_range.ts';
import { prune, type Ref } from './commands.ts';
import { capturingTfjs, encoderOf, pipelinesOf, withMissingKernels } from './gpu_program.ts';
import { type Placement, placeTensors, type PrunedTrace, releasePlacement } from './placement.ts';
import type { Boundary, Outputs, Program } from './program_types.ts';
import { onWebGpu, processorPrograms, state, tensorMemory, webgpu } from './state.ts';
import { submit } from './submit.ts';
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
 * Compiles `fn` to a program. Where there are kernels of ours, `fn` is traced with placeholders
 * before this function returns, kernels of the GPU compile in the background, and the first run is
 * already a replay. Elsewhere, and in op-by-op mode, each run calls `fn`. Rejects with ShaderError,
 * BindingTooLarge or ProcessorMemoryFull.
 *
 * @param pool see `programPool`
 */
export async function compileProgram<O extends Outputs>(
  name: string,
  fn: () => O,
  pool?: Arena,
): Promise<Program<O>> {
  const isTraced = state.memory && state.mode === 'replay';
  return isTraced ? traceAndCompile(name, fn, pool) : opByOp(name, fn);
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
    pool: undefined,
    ownBytes: 0,
    scratchBytes: 0,
    encode: null,
    execute: null,
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

async function traceAndCompile<O extends Outputs>(
  name: string,
  fn: () => O,
  pool: Arena | undefined,
): Promise<Program<O>> {
  const traced = onWebGpu()
    ? await withMissingKernels(() => traceNow(name, fn))
    : traceNow(name, fn);
  const { trace, outputs } = traced;
  const tensors = Object.values(outputs);
  try {
    const kept = tensors.map((tensor) => trace.refOf(tensor));
    const { compiled, placement } = await placeInOrder(compile(trace, kept, pool));
    bindAll(tensors, placement.outputs);
    bindAll(boundaryTensors(trace), placement.boundaries);
    try {
      return replayed(outputs, compiled, placement);
    } catch (error) {
      releasePlacement(tensorMemory(), placement);
      throw error;
    }
  } catch (error) {
    dispose([...tensors, ...boundaryTensors(trace)]);
    throw error;
  }
}

function traceNow<O extends Outputs>(name: string, fn: () => O): Traced<O> {
  if (state.trace) throw new Error(`The program ${name} is compiled inside another one.`);
  const trace = new Trace(tensorMemory(), name);
  const call = (): O => {
    state.trace = trace;
    return keepOutputs(fn);
  };
  try {
    return { trace, outputs: onWebGpu() ? capturingTfjs(trace, call) : call() };
  } catch (error) {
    dispose(boundaryTensors(trace));
    throw error;
  } finally {
    state.trace = null;
  }
}

function boundaryTensors(trace: Trace): Tensor[] {
  return trace.boundaries.map((boundary) => boundary.tensor);
}

function bindAll(tensors: readonly Tensor[], ranges: Placement['outputs']): void {
  const memory = tensorMemory();
  tensors.forEach((tensor, i) => {
    const range = ranges[i];
    if (range) memory.bind(tensor, range);
  });
}

/** `pipelines`: one a command on WebGPU, none on the processor. */
interface Compiled extends PrunedTrace {
  pipelines: readonly GPUComputePipeline[];
}

async function compile(
  trace: Trace,
  kept: readonly Ref[],
  pool: Arena | undefined,
): Promise<Compiled> {
  const { commands, boundaries } = prune(trace.commands, trace.boundaries, kept);
  const limit = tensorMemory().largest;
  for (const { bytes, name } of trace.transients)
    if (bytes > limit) throw new BindingTooLarge(bytes, limit, name);
  const pipelines = onWebGpu() ? await pipelinesOf(webgpu().backend, commands) : [];
  return { trace, commands, boundaries, kept, pool, pipelines };
}

let placing: Promise<unknown> = Promise.resolve();

/**
 * Kernels of several programs compile concurrently, but buffers are allocated in the order in which
 * the programs were traced, whichever is compiled first: scratch is shared, and a small program
 * placed first would leave buffers that fit no other program.
 */
function placeInOrder(
  compiling: Promise<Compiled>,
): Promise<{ compiled: Compiled; placement: Placement }> {
  const placed = Promise.all([compiling, placing]).then(([compiled]) => ({
    compiled,
    placement: placeTensors(tensorMemory(), compiled),
  }));
  placing = Promise.allSettled([placing, placed]);
  return placed;
}

function replayed<O extends Outputs>(
  outputs: O,
  compiled: Compiled,
  placement: Placement,
): Program<O> {
  const { trace, commands, boundaries } = compiled;
  const { name } = trace;
  const memory = tensorMemory();
  const encode = onWebGpu() ? encoderOf(compiled, compiled.pipelines, placement) : null;
  const execute = onWebGpu() ? null : processorPrograms().executorOf(compiled, placement);
  const program: Program<O> = {
    name,
    outputs,
    dispatches: commands.length,
    kernels: commands.map((command) => command.name),
    inPlace: writtenOutside(compiled),
    boundaries: boundaries.map(({ command, tensor, collective }, i): Boundary => {
      const range = placement.boundaries[i];
      if (!range) throw new RangeError(`The program ${name} has no boundary ${i}.`);
      return { command, range, tensor, collective };
    }),
    pool: placement.pool,
    ownBytes: placement.own.reduce((sum, buffer) => sum + buffer.size, 0),
    scratchBytes: placement.scratchBytes,
    encode,
    execute,
    run: () => submit([program]),
    dispose: () => {
      dispose([...Object.values(outputs), ...boundaries.map((boundary) => boundary.tensor)]);
      releasePlacement(memory, placement);
    },
  };
  return program;
}

/** Buffers that exist outside of the program and that it writes. */
function writtenOutside({
  commands,
  boundaries,
}: Pick<Compiled, 'commands' | 'boundaries'>): DeviceBuffer[] {
  const written = [
    ...commands.flatMap((command) => command.bindings.slice(0, command.written)),
    ...boundaries.map((boundary) => boundary.ref),
  ];
  return [...new Set(written.flatMap((ref) => (ref.kind === 'range' ? [ref.range.buffer] : [])))];
}
