/** What a trace records, and which commands and for how long its tensors are needed. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { BufferRange } from './buffer_range.ts';
import type { Lifetime } from './lifetimes.ts';
import type { Collective } from './program_types.ts';

/** A part of a buffer that is not placed yet, in bytes. */
export interface Part {
  offset: number;
  size: number;
}

/**
 * What a command binds: a range that exists already (parameters, inputs), a constant of the
 * program, or a transient tensor that is placed later. `part` is set if the tensor is a view.
 */
export type Ref =
  | { kind: 'range'; range: BufferRange }
  | { kind: 'constant'; index: number; part?: Part }
  | { kind: 'transient'; index: number; part?: Part };

export interface Command {
  name: string;
  bindings: Ref[];
  /** The number of bindings that the command writes; they come first. */
  written: number;
  work: Work;
}

/** What a command runs: a dispatch of the GPU, or a kernel of the engine on the processor. */
export type Work = GpuWork | ProcessorWork;

export interface GpuWork {
  on: 'gpu';
  pipeline: Promise<GPUComputePipeline>;
  uniform: ArrayBuffer | null;
  workgroups: readonly [number, number, number];
}

export interface ProcessorWork {
  on: 'processor';
  /** Index of the kernel. */
  kernel: number;
  /** Index of the binding of each address that the kernel gets; null for an absent tensor. */
  addresses: readonly (number | null)[];
  /** The words after the addresses. */
  params: Uint32Array;
}

/** A collective before command `command`. */
export interface TracedBoundary {
  command: number;
  ref: Ref;
  tensor: Tensor;
  collective: Collective;
}

type Dataflow = Pick<Command, 'bindings' | 'written'>;
type Crossing = Pick<TracedBoundary, 'command' | 'ref'>;

/**
 * Removes commands whose results nothing reads, such as statistics that no gradient needs or the
 * end of a block that is recomputed. Boundaries are always kept, with what their tensors need, and
 * stay at the same place among the remaining commands.
 */
export function prune<C extends Dataflow, B extends Crossing>(
  commands: readonly C[],
  boundaries: readonly B[],
  kept: readonly Ref[],
): { commands: C[]; boundaries: B[] } {
  const live = new Set<number>();
  const need = (ref: Ref): void => {
    if (ref.kind === 'transient') live.add(ref.index);
  };
  kept.forEach(need);
  const crossings = new Map<number, B[]>();
  for (const boundary of boundaries) {
    const { command } = boundary;
    crossings.set(command, [...(crossings.get(command) ?? []), boundary]);
  }
  const needed: boolean[] = [];
  for (let index = commands.length - 1; index >= 0; index--) {
    for (const boundary of crossings.get(index + 1) ?? []) need(boundary.ref);
    const command = commands[index];
    if (!command) continue;
    const written = command.bindings.slice(0, command.written);
    needed[index] = written.some((ref) => ref.kind !== 'transient' || live.has(ref.index));
    if (needed[index]) command.bindings.forEach(need);
  }
  // How many commands remain before each.
  const remaining = [0];
  for (const isNeeded of needed) remaining.push((remaining.at(-1) ?? 0) + (isNeeded ? 1 : 0));
  return {
    commands: commands.filter((_, index) => needed[index]),
    boundaries: boundaries.map((one) => ({ ...one, command: remaining[one.command] ?? 0 })),
  };
}

/** `named`: a boundary names the tensor, so it must not be in scratch that programs share. */
export interface TransientLifetime extends Lifetime {
  named: boolean;
}

/**
 * Lifetimes of transients with these sizes; null for those that no command uses. A tensor that a
 * boundary names is alive on both sides of it, whether the collective is its reader or its writer.
 */
export function lifetimesOf(
  sizes: readonly number[],
  commands: readonly Dataflow[],
  boundaries: readonly Crossing[],
): (TransientLifetime | null)[] {
  const lives = sizes.map((): TransientLifetime | null => null);
  const extend = (ref: Ref, used: Omit<TransientLifetime, 'bytes'>): void => {
    if (ref.kind !== 'transient') return;
    const life = lives[ref.index];
    lives[ref.index] = {
      bytes: sizes[ref.index] ?? 0,
      first: Math.min(life?.first ?? Infinity, used.first),
      last: Math.max(life?.last ?? -1, used.last),
      named: used.named || (life?.named ?? false),
    };
  };
  commands.forEach((command, now) => {
    for (const ref of command.bindings) extend(ref, { first: now, last: now, named: false });
  });
  for (const { command, ref } of boundaries)
    extend(ref, { first: Math.max(0, command - 1), last: command, named: true });
  return lives;
}
