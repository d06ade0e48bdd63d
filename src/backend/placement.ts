/** Gives the tensors of a traced program memory, on the GPU or in the engine's memory. */
import type { BufferRange, DeviceBuffer } from './buffer_range.ts';
import { type Arena, arenaOf } from './arena.ts';
import {
  type Command,
  lifetimesOf,
  type Ref,
  type TracedBoundary,
  type TransientLifetime,
} from './commands.ts';
import { crossesBoundary, planSlots } from './lifetimes.ts';
import type { TensorMemory } from './tensor_memory.ts';
import type { Trace } from './trace.ts';

/** A traced program after pruning. */
export interface PrunedTrace {
  trace: Trace;
  commands: readonly Command[];
  boundaries: readonly TracedBoundary[];
  /** The outputs. */
  kept: readonly Ref[];
  /** Where tensors that are alive across a boundary lie; without one, in memory of the program's own. */
  pool: Arena | undefined;
}

export interface Placement {
  rangeOf: (ref: Ref) => BufferRange;
  outputs: BufferRange[];
  /** Ranges of the boundaries' tensors, in the order of the boundaries. */
  boundaries: BufferRange[];
  /** Buffers of this program alone. */
  own: DeviceBuffer[];
  /** Buffers shared with the other programs of its pool. */
  pooled: DeviceBuffer[];
  pool: Arena | undefined;
  /** Buffers shared with all programs, from the arena. */
  scratch: DeviceBuffer[];
  scratchBytes: number;
}

/** Throws ProcessorMemoryFull if they do not fit; nothing is allocated then. */
export function placeTensors(memory: TensorMemory, traced: PrunedTrace): Placement {
  const held: Held = { own: [], pooled: [], pool: traced.pool };
  try {
    return place(memory, traced, held);
  } catch (error) {
    releaseHeld(held);
    throw error;
  }
}

/** Gives back what a program holds. */
export function releasePlacement(memory: TensorMemory, placement: Placement): void {
  releaseHeld(placement);
  arenaOf(memory).release(placement.scratch);
}

/** What a program holds besides scratch. */
type Held = Pick<Placement, 'own' | 'pooled' | 'pool'>;

function releaseHeld({ own, pooled, pool }: Held): void {
  for (const buffer of own) buffer.destroy();
  pool?.release(pooled);
}

/** Adds the program's buffers to `held`. */
function place(memory: TensorMemory, traced: PrunedTrace, held: Held): Placement {
  const { trace, boundaries, kept } = traced;
  const createOwn = (label: string, size: number): DeviceBuffer => {
    const buffer = memory.createBuffer(`${trace.name}: ${label}`, size);
    held.own.push(buffer);
    return buffer;
  };
  const constants = trace.constants.map((data): BufferRange => {
    const buffer = createOwn('constant', data.byteLength);
    const range = { buffer, offset: 0, size: data.byteLength };
    memory.write(range, data);
    return range;
  });
  const transients = placeTransients(memory, traced, { held, createOwn });
  const rangeOf = rangeLookup(trace.name, constants, transients.ranges);
  return {
    rangeOf,
    outputs: kept.map(rangeOf),
    boundaries: boundaries.map((boundary) => rangeOf(boundary.ref)),
    ...held,
    scratch: transients.scratch,
    scratchBytes: transients.scratchBytes,
  };
}

interface PlacedTransients {
  ranges: (BufferRange | undefined)[];
  scratch: DeviceBuffer[];
  scratchBytes: number;
}

interface OwnMemory {
  held: Held;
  createOwn: (label: string, size: number) => DeviceBuffer;
}

/**
 * Outputs get buffers of their own. Transients that are alive across a boundary share buffers among
 * themselves and with the programs of the pool, because another program may run while this one waits;
 * all others lie in the arena.
 */
function placeTransients(
  memory: TensorMemory,
  { trace, commands, boundaries, kept, pool }: PrunedTrace,
  { held, createOwn }: OwnMemory,
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
  const assign = (list: readonly Scratch[], slotOf: number[], buffers: DeviceBuffer[]): void =>
    list.forEach(({ index, bytes }, i) => {
      const buffer = buffers[slotOf[i] ?? -1];
      if (buffer) ranges[index] = { buffer, offset: 0, size: bytes };
    });
  const ownPlan = planSlots(crossing);
  if (pool) held.pooled.push(...pool.take(ownPlan.slots));
  const ownBuffers = pool
    ? held.pooled
    : ownPlan.slots.map((size) => createOwn('alive across a boundary', size));
  assign(crossing, ownPlan.slotOf, ownBuffers);
  for (const index of [...outputs].sort((a, b) => a - b)) {
    const { name, bytes } = trace.transients[index] ?? { name: '', bytes: 0 };
    ranges[index] = { buffer: createOwn(`output of ${name}`, bytes), offset: 0, size: bytes };
  }
  // Last, because it is given back in another way than the program's own buffers.
  const plan = planSlots(shared);
  const scratch = arenaOf(memory).take(plan.slots);
  assign(shared, plan.slotOf, scratch);
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
