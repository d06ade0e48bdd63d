/**
 * Programs: functions over tensors that are traced once and replayed on WebGPU, and run op by op
 * elsewhere. One description, two ways to run it. Whatever changes from step to step comes in
 * through tensors of a Store.
 */
import { dispose, keep, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { arenaOf } from './arena.ts';
import { lacksKernel, loadAllKernels } from './kernels.ts';
import { planSlots } from './lifetimes.ts';
import type { Outputs, Program } from './program_types.ts';
import { state, webgpu } from './state.ts';
import { submit } from './submit.ts';
import {
  bindRange,
  type BufferRange,
  captureTfjs,
  flushTfjs,
  settlePipelines,
} from './tfjs_private.ts';
import { type Command, type Ref, Trace } from './trace.ts';

export type { Outputs, Program, SubmitItem } from './program_types.ts';

/** A tensor of a program is larger than one binding of this device may be. */
export class BindingTooLarge extends Error {
  constructor(
    readonly bytes: number,
    readonly limit: number,
    readonly tensor: string,
  ) {
    super(
      `One tensor of the model (in ${tensor}) takes ${mb(bytes)}, and this device binds at most ${mb(limit)} at once.`,
    );
  }
}
const mb = (n: number): string => `${Math.ceil(n / 2 ** 20)} MB`;

/**
 * Compiles `fn` to a program. On WebGPU it is traced with placeholders, its kernels compile in the
 * background and the first run is already a replay. Elsewhere (and in op-by-op mode) each run calls
 * `fn`.
 */
export async function compileProgram<O extends Outputs>(
  name: string,
  fn: () => O,
): Promise<Program<O>> {
  return state.webgpu && state.mode === 'replay' ? traced(name, fn) : direct(name, fn);
}

function direct<O extends Outputs>(name: string, fn: () => O): Program<O> {
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
    ownBytes: 0,
    scratchBytes: 0,
    encode: null,
    get outputs() {
      if (!outputs) throw new Error(`The program ${name} has not run yet.`);
      return outputs;
    },
    run() {
      clear();
      const result: { made?: O } = {};
      tidy(() => {
        result.made = fn();
        for (const t of Object.values(result.made)) keep(t);
      });
      outputs = result.made ?? null;
    },
    dispose: clear,
  };
}

async function traced<O extends Outputs>(name: string, fn: () => O): Promise<Program<O>> {
  let t: Traced<O>;
  try {
    t = traceNow(name, fn);
  } catch (error) {
    if (!lacksKernel(error)) throw error;
    await loadAllKernels();
    t = traceNow(name, fn);
  }
  const placed = await inOrder(t.trace, Object.values(t.outputs));
  const { backend } = webgpu();
  Object.values(t.outputs).forEach((o, i) => {
    const range = placed.outputs[i];
    if (range) bindRange(backend, o.dataId, range);
  });
  return replayed(name, t.outputs, t.trace, placed);
}

let placing: Promise<unknown> = Promise.resolve();

/**
 * Kernels of several programs compile side by side, but buffers are given out in the order in which
 * the programs were traced, whichever is compiled first: scratch is shared, and a small program
 * that came first would leave buffers that no other fits.
 */
function inOrder(trace: Trace, kept: Tensor[]): Promise<Placed> {
  const before = placing;
  const mine = Promise.all([
    compiledOf(
      trace,
      kept.map((t) => trace.keep(t)),
    ),
    before,
  ]).then(([compiled]) => place(trace, compiled));
  placing = Promise.allSettled([before, mine]);
  return mine;
}

interface Traced<O> {
  trace: Trace;
  outputs: O;
}

function traceNow<O extends Outputs>(name: string, fn: () => O): Traced<O> {
  const { backend, device } = webgpu();
  if (state.trace) throw new Error(`The program ${name} is compiled inside another one.`);
  flushTfjs(backend);
  const trace = new Trace(backend, device, name);
  state.trace = trace;
  const release = captureTfjs(backend, (d) => trace.addCaptured(d));
  const made: { outputs?: O } = {};
  try {
    tidy(() => {
      made.outputs = fn();
      for (const t of Object.values(made.outputs)) keep(t);
    });
  } finally {
    release();
    state.trace = null;
  }
  const { outputs } = made;
  if (!outputs) throw new Error(`The program ${name} returned nothing.`);
  return { trace, outputs };
}

interface Placed {
  steps: {
    pipeline: GPUComputePipeline;
    group: GPUBindGroup;
    workgroups: readonly [number, number, number];
  }[];
  outputs: BufferRange[];
  own: GPUBuffer[];
  scratch: GPUBuffer[];
  scratchBytes: number;
}

interface Compiled {
  keptRefs: Ref[];
  pipelines: GPUComputePipeline[];
}

async function compiledOf(trace: Trace, keptRefs: Ref[]): Promise<Compiled> {
  const { backend, device } = webgpu();
  trace.prune(keptRefs);
  const limit = device.limits.maxStorageBufferBindingSize;
  for (const t of trace.transients)
    if (t.bytes > limit) throw new BindingTooLarge(t.bytes, limit, t.name);
  const pipelines = await Promise.all(trace.commands.map((c) => c.pipeline));
  await settlePipelines(backend);
  return { keptRefs, pipelines };
}

function place(trace: Trace, { keptRefs, pipelines }: Compiled): Placed {
  const { device } = webgpu();
  const own: GPUBuffer[] = [];
  const make = (label: string, size: number, usage: number): GPUBuffer => {
    const b = device.createBuffer({
      label: `${trace.name}: ${label}`,
      size: Math.ceil(Math.max(size, 4) / 16) * 16,
      usage,
    });
    own.push(b);
    return b;
  };
  const storage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
  const constants = trace.constants.map((data) => {
    const b = make('constant', data.byteLength, storage);
    device.queue.writeBuffer(b, 0, data);
    return { buffer: b, offset: 0, size: data.byteLength };
  });
  const live = trace.transients
    .map((t, i) => ({ ...t, i }))
    .filter((t) => t.first >= 0 && t.last !== Infinity);
  const plan = planSlots(live);
  const scratch = arenaOf(device).take(plan.slots);
  const ranges = trace.transients.map((t): BufferRange | null =>
    t.last === Infinity
      ? { buffer: make(`output of ${t.name}`, t.bytes, storage), offset: 0, size: t.bytes }
      : null,
  );
  live.forEach((t, k) => {
    const buffer = scratch[plan.slotOf[k] ?? -1];
    if (buffer) ranges[t.i] = { buffer, offset: 0, size: t.bytes };
  });
  const rangeOf = (ref: Ref): BufferRange => {
    const range =
      ref.kind === 'range'
        ? ref.range
        : ref.kind === 'constant'
          ? constants[ref.index]
          : ranges[ref.index];
    if (!range) throw new Error(`A tensor of the program ${trace.name} was never placed.`);
    return ref.kind !== 'range' && ref.part
      ? { buffer: range.buffer, offset: range.offset + ref.part.offset, size: ref.part.size }
      : range;
  };
  const uniformOf = packUniforms(
    trace.commands,
    (size) => make('uniforms', size, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST),
    device,
  );
  const steps = trace.commands.map((c, i) => {
    const pipeline = pipelines[i];
    if (!pipeline) throw new Error(`The kernel ${c.name} was not compiled.`);
    const entries: GPUBindGroupEntry[] = c.bindings.map((ref, binding) => ({
      binding,
      resource: rangeOf(ref),
    }));
    const uniform = uniformOf(i);
    if (uniform) entries.push({ binding: entries.length, resource: uniform });
    return {
      pipeline,
      group: device.createBindGroup({
        label: c.name,
        layout: pipeline.getBindGroupLayout(0),
        entries,
      }),
      workgroups: c.workgroups,
    };
  });
  return {
    steps,
    outputs: keptRefs.map(rangeOf),
    own,
    scratch,
    scratchBytes: plan.slots.reduce((a, b) => a + b, 0),
  };
}

/** All uniforms of a program in one buffer; equal contents are stored once. */
function packUniforms(
  commands: readonly Command[],
  make: (size: number) => GPUBuffer,
  device: GPUDevice,
): (command: number) => BufferRange | null {
  const align = device.limits.minUniformBufferOffsetAlignment;
  const offsets = new Map<string, number>();
  const parts: { offset: number; data: ArrayBuffer }[] = [];
  let end = 0;
  const of = commands.map((c) => {
    if (!c.uniform) return null;
    const key = new Uint32Array(c.uniform).join();
    let offset = offsets.get(key);
    if (offset === undefined) {
      offset = end;
      offsets.set(key, offset);
      parts.push({ offset, data: c.uniform });
      end += Math.ceil(c.uniform.byteLength / align) * align;
    }
    return { offset, size: c.uniform.byteLength };
  });
  if (end === 0) return () => null;
  const bytes = new Uint8Array(end);
  for (const p of parts) bytes.set(new Uint8Array(p.data), p.offset);
  const buffer = make(end);
  device.queue.writeBuffer(buffer, 0, bytes);
  return (i) => {
    const u = of[i];
    return u ? { buffer, ...u } : null;
  };
}

function replayed<O extends Outputs>(
  name: string,
  outputs: O,
  trace: Trace,
  placed: Placed,
): Program<O> {
  const { device } = webgpu();
  const encode = (pass: GPUComputePassEncoder, from = 0, to = placed.steps.length): void => {
    let last: GPUComputePipeline | null = null;
    for (let i = from; i < to; i++) {
      const s = placed.steps[i];
      if (!s) throw new RangeError(`The program ${name} has no command ${i}.`);
      if (s.pipeline !== last) {
        pass.setPipeline(s.pipeline);
        last = s.pipeline;
      }
      pass.setBindGroup(0, s.group);
      pass.dispatchWorkgroups(...s.workgroups);
    }
  };
  const program: Program<O> = {
    name,
    outputs,
    dispatches: placed.steps.length,
    kernels: trace.commands.map((c) => c.name),
    inPlace: [
      ...new Set(
        trace.commands.flatMap((c) =>
          c.bindings
            .slice(0, c.written)
            .flatMap((r) => (r.kind === 'range' ? [r.range.buffer] : [])),
        ),
      ),
    ],
    ownBytes: placed.own.reduce((n, b) => n + b.size, 0),
    scratchBytes: placed.scratchBytes,
    encode,
    run: () => submit([program]),
    dispose: () => {
      dispose(Object.values(outputs));
      for (const b of placed.own) b.destroy();
      arenaOf(device).release(placed.scratch);
    },
  };
  return program;
}
