/** Allocates the buffers of a traced program and creates its bind groups. */
import type { BufferRange } from './buffer_range.ts';
import { arenaOf } from './arena.ts';
import {
  type Command,
  lifetimesOf,
  type Ref,
  type TracedBoundary,
  type TransientLifetime,
} from './commands.ts';
import { crossesBoundary, planSlots } from './lifetimes.ts';
import type { Trace } from './trace.ts';
import { storageUsage } from './usage.ts';
import { packUniforms } from './uniforms.ts';

/** A traced program after pruning, with its pipelines compiled. */
export interface Compiled {
  trace: Trace;
  commands: readonly Command[];
  boundaries: readonly TracedBoundary[];
  /** The outputs. */
  kept: readonly Ref[];
  /** The pipeline of each command. */
  pipelines: readonly GPUComputePipeline[];
}

/** One dispatch, ready to be encoded. */
export interface Step {
  pipeline: GPUComputePipeline;
  group: GPUBindGroup;
  workgroups: readonly [number, number, number];
}

export interface Placed {
  steps: Step[];
  outputs: BufferRange[];
  /** Ranges of the boundaries' tensors. */
  boundaries: BufferRange[];
  /** Buffers of this program alone. */
  own: GPUBuffer[];
  /** Buffers shared with other programs, from the arena. */
  scratch: GPUBuffer[];
  scratchBytes: number;
}

export function place(device: GPUDevice, compiled: Compiled): Placed {
  const { trace, commands, boundaries, kept } = compiled;
  const own: GPUBuffer[] = [];
  const createOwn = (label: string, size: number, usage = storageUsage()): GPUBuffer => {
    const buffer = device.createBuffer({
      label: `${trace.name}: ${label}`,
      size: Math.ceil(Math.max(size, 4) / 16) * 16,
      usage,
    });
    own.push(buffer);
    return buffer;
  };
  const constants = trace.constants.map((data): BufferRange => {
    const buffer = createOwn('constant', data.byteLength);
    device.queue.writeBuffer(buffer, 0, data);
    return { buffer, offset: 0, size: data.byteLength };
  });
  const transients = placeTransients(device, compiled, createOwn);
  const rangeOf = rangeLookup(trace.name, constants, transients.ranges);
  const uniforms = packUniforms(device, commands, (size) =>
    createOwn('uniforms', size, GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST),
  );
  const steps = commands.map((command, index): Step => {
    const pipeline = compiled.pipelines[index];
    if (!pipeline) throw new Error(`The kernel ${command.name} was not compiled.`);
    const resources = command.bindings.map(rangeOf);
    const uniform = uniforms[index];
    if (uniform) resources.push(uniform);
    const group = device.createBindGroup({
      label: command.name,
      layout: pipeline.getBindGroupLayout(0),
      entries: resources.map((resource, binding) => ({ binding, resource })),
    });
    return { pipeline, group, workgroups: command.workgroups };
  });
  return {
    steps,
    outputs: kept.map(rangeOf),
    boundaries: boundaries.map((boundary) => rangeOf(boundary.ref)),
    own,
    scratch: transients.scratch,
    scratchBytes: transients.scratchBytes,
  };
}

interface PlacedTransients {
  ranges: (BufferRange | undefined)[];
  scratch: GPUBuffer[];
  scratchBytes: number;
}

/**
 * Outputs get buffers of their own. Transients that are alive across a boundary share buffers among
 * themselves, because another program may run while this one waits; all others lie in the arena.
 */
function placeTransients(
  device: GPUDevice,
  { trace, commands, boundaries, kept }: Compiled,
  createOwn: (label: string, size: number) => GPUBuffer,
): PlacedTransients {
  const ranges: (BufferRange | undefined)[] = [];
  const outputs = new Set(kept.flatMap((ref) => (ref.kind === 'transient' ? [ref.index] : [])));
  const sizes = trace.transients.map((transient) => transient.bytes);
  const lives = lifetimesOf(sizes, commands, boundaries);
  const cuts = boundaries.map((boundary) => boundary.command);
  const shared: Scratch[] = [];
  const crossing: Scratch[] = [];
  lives.forEach((life, index) => {
    if (!life || outputs.has(index)) return;
    const list = life.named || crossesBoundary(life, cuts) ? crossing : shared;
    list.push({ ...life, index });
  });
  const assign = (list: readonly Scratch[], slotOf: number[], buffers: GPUBuffer[]): void =>
    list.forEach(({ index, bytes }, i) => {
      const buffer = buffers[slotOf[i] ?? -1];
      if (buffer) ranges[index] = { buffer, offset: 0, size: bytes };
    });
  const plan = planSlots(shared);
  const scratch = arenaOf(device).take(plan.slots);
  assign(shared, plan.slotOf, scratch);
  const ownPlan = planSlots(crossing);
  const ownBuffers = ownPlan.slots.map((size) => createOwn('alive across a boundary', size));
  assign(crossing, ownPlan.slotOf, ownBuffers);
  for (const index of [...outputs].sort((a, b) => a - b)) {
    const { name, bytes } = trace.transients[index] ?? { name: '', bytes: 0 };
    ranges[index] = { buffer: createOwn(`output of ${name}`, bytes), offset: 0, size: bytes };
  }
  return { ranges, scratch, scratchBytes: plan.slots.reduce((sum, size) => sum + size, 0) };
}

type Scratch = TransientLifetime & { index: number };

function rangeLookup(
  program: string,
  constants: readonly BufferRange[],
  transients: readonly (BufferRange | undefined)[],
): (ref: Ref) => BufferRange {
  return (ref) => {
    if (ref.kind === 'range') return ref.range;
    const range = ref.kind === 'constant' ? constants[ref.index] : transients[ref.index];
    if (!range) throw new Error(`A tensor of the program ${program} was never placed.`);
    if (!ref.part) return range;
    return { buffer: range.buffer, offset: range.offset + ref.part.offset, size: ref.part.size };
  };
}
