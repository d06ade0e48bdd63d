/**
 * A trace lists the dispatches of a function without running any. Kernels are called with
 * placeholders and tfjs's programs are captured; both become commands over virtual buffers, which
 * `placement.ts` then allocates.
 */
import { keep, type Tensor, type TensorInfo, util } from '@tensorflow/tfjs-core';
import type { Command, Ref, TracedBoundary, Work } from './commands.ts';
import { bytesPerValue, storageOf, storeAsFloat16 } from './float16.ts';
import type { Collective } from './program_types.ts';
import type { TensorMemory } from './tensor_memory.ts';
import { ownerOf, type View, viewBy } from './viewed.ts';

type Access = 'read' | 'write' | 'update';

/** The tensors of a command. */
export interface TracedCall {
  /** Name of the kernel. */
  name: string;
  writes: readonly Tensor[];
  updates?: readonly Tensor[];
  reads: readonly Tensor[];
}

/** The tensors of a dispatch of tfjs's. */
export interface CapturedCall {
  name: string;
  output: TensorInfo;
  inputs: readonly TensorInfo[];
}

/** A tensor that the program makes. `name` is that of the kernel that first used it. */
export interface Transient {
  name: string;
  bytes: number;
}

export class Trace {
  readonly commands: Command[] = [];
  readonly boundaries: TracedBoundary[] = [];
  readonly transients: Transient[] = [];
  readonly constants: ArrayBuffer[] = [];
  readonly name: string;
  readonly #memory: TensorMemory;
  readonly #refs = new Map<object, Ref>();
  /** Indices of the constants by a hash of their values. */
  readonly #constantsByHash = new Map<number, number[]>();
  /** Indices of transients that a command or a boundary has written. */
  readonly #written = new Set<number>();

  constructor(memory: TensorMemory, name: string) {
    this.#memory = memory;
    this.name = name;
  }

  /**
   * Records a call of one of our kernels. Throws if it reads and writes one buffer, reads what
   * nothing has written, or writes a constant.
   */
  add(call: TracedCall, work: Work): void {
    const updates = call.updates ?? [];
    checkAliasing(call.name, [...call.writes, ...updates], call.reads);
    const bindings = [
      ...call.writes.map((tensor) => this.#use(tensor, 'write', call.name)),
      ...updates.map((tensor) => this.#use(tensor, 'update', call.name)),
      ...call.reads.map((tensor) => this.#use(tensor, 'read', call.name)),
    ];
    const written = call.writes.length + updates.length;
    this.commands.push({ name: call.name, bindings, written, work });
  }

  /** Records a dispatch of one of tfjs's kernels. */
  addCaptured(call: CapturedCall, work: Work): void {
    const bindings = [
      this.#use(call.output, 'write', call.name),
      ...call.inputs.map((tensor) => this.#use(tensor, 'read', call.name)),
    ];
    this.commands.push({ name: call.name, bindings, written: 1, work });
  }

  /**
   * Records that the collective runs on the tensor after the commands so far. The tensor may be one
   * that nothing has written yet: then the collective writes it.
   */
  addBoundary(tensor: Tensor, collective: Collective): void {
    // Values that are on the CPU are a constant, which must not be taken for an unwritten tensor.
    this.refOf(tensor, collective.name);
    const ref = this.#use(tensor, 'write', collective.name);
    // The traced tensor is disposed with the trace; the collective's is kept with the program.
    const kept = keep(this.#memory.placeholder(tensor.shape, tensor.dtype));
    if (storageOf(tensor) === 'float16') storeAsFloat16(kept);
    this.boundaries.push({ command: this.commands.length, ref, tensor: kept, collective });
  }

  /** Where an output of the program is. */
  refOf(tensor: TensorInfo, user = 'an output', access: Access = 'read'): Ref {
    const known = this.#refs.get(tensor.dataId);
    if (known) return known;
    const ref = this.#newRef(tensor, user, access);
    this.#refs.set(tensor.dataId, ref);
    return ref;
  }

  #newRef(tensor: TensorInfo, user: string, access: Access): Ref {
    const where = this.#memory.residence(tensor);
    if (where.on === 'device') return { kind: 'range', range: where.range };
    if (where.on === 'host' && access === 'read')
      return { kind: 'constant', index: this.#constant(where.values, tensor.dtype) };
    const view = where.on === 'nowhere' ? viewBy(tensor) : undefined;
    if (view) return partOf(this.refOf(view.owner, user, access), view);
    const bytes = Math.max(4, util.sizeFromShape(tensor.shape) * bytesPerValue(tensor));
    return { kind: 'transient', index: this.transients.push({ name: user, bytes }) - 1 };
  }

  #use(tensor: TensorInfo, access: Access, user: string): Ref {
    const ref = this.refOf(tensor, user, access);
    if (ref.kind === 'constant' && access !== 'read')
      throw new Error(`${user} writes a constant of the program ${this.name}.`);
    if (ref.kind !== 'transient') return ref;
    if (access === 'write') this.#written.add(ref.index);
    if (!this.#written.has(ref.index))
      throw new Error(
        `${user} reads a tensor that nothing in the program ${this.name} has written.`,
      );
    return ref;
  }

  /** Index of a constant with these values: equal constants are stored once. */
  #constant(values: ArrayLike<number>, dtype: string): number {
    const data = dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values);
    const words = new Uint32Array(data.buffer);
    const hash = hashOf(words);
    const alike = this.#constantsByHash.get(hash) ?? [];
    const same = alike.find((index) => haveEqualWords(this.constants[index], words));
    if (same !== undefined) return same;
    const index = this.constants.push(data.buffer) - 1;
    this.#constantsByHash.set(hash, [...alike, index]);
    return index;
  }
}

/** FNV-1a, a word at a time. */
function hashOf(words: Uint32Array): number {
  return words.reduce((hash, word) => Math.imul(hash ^ word, 0x01000193), 0x811c9dc5);
}

function haveEqualWords(constant: ArrayBuffer | undefined, words: Uint32Array): boolean {
  if (constant?.byteLength !== words.byteLength) return false;
  return new Uint32Array(constant).every((word, i) => word === words[i]);
}

function checkAliasing(name: string, written: readonly Tensor[], read: readonly Tensor[]): void {
  const owners = new Set(written.map((tensor) => ownerOf(tensor).dataId));
  if (read.some((tensor) => owners.has(ownerOf(tensor).dataId)))
    throw new Error(`${name} reads and writes one buffer: list it under updates alone.`);
}

function partOf(owner: Ref, { offset, size }: View): Ref {
  if (owner.kind === 'range')
    throw new Error('A view of a tensor that has a buffer must be bound to its range already.');
  return { ...owner, part: { offset, size } };
}
