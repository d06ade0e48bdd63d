/**
 * A trace lists the dispatches of a function without running any: kernels are called with
 * placeholders, tfjs's programs are captured, and both become commands over virtual buffers, which
 * `program.ts` then places.
 */
import type { Tensor, TensorInfo } from '@tensorflow/tfjs-core';
import { util } from '@tensorflow/tfjs-core';
import type { WebGPUBackend } from '@tensorflow/tfjs-backend-webgpu';
import type { Dispatch } from './dispatch_types.ts';
import { storageOf } from './halves.ts';
import type { Lifetime } from './lifetimes.ts';
import { packParams, pipelineSoon } from './pipelines.ts';
import { type BufferRange, type CapturedDispatch, residence } from './tfjs_private.ts';
import { ownerOf, type View, viewBy } from './viewed.ts';

/**
 * What a command binds: a range that exists (parameters, inputs), a constant of the program, or a
 * transient to be placed; of these `part`, in bytes, where it is a view.
 */
export type Ref =
  | { kind: 'range'; range: BufferRange }
  | { kind: 'constant'; index: number; part?: { offset: number; size: number } }
  | { kind: 'transient'; index: number; part?: { offset: number; size: number } };

export interface Command {
  name: string;
  pipeline: Promise<GPUComputePipeline>;
  bindings: Ref[];
  /** The first so many bindings are written. */
  written: number;
  uniform: ArrayBuffer | null;
  workgroups: readonly [number, number, number];
}

export class Trace {
  readonly commands: Command[] = [];
  readonly transients: (Lifetime & { name: string })[] = [];
  readonly constants: ArrayBuffer[] = [];
  private readonly refs = new Map<object, Ref>();

  constructor(
    private readonly backend: WebGPUBackend,
    private readonly device: GPUDevice,
    readonly name: string,
  ) {}

  /** A dispatch of ours. */
  add(d: Dispatch): void {
    const updates = d.updates ?? [];
    this.checkAliasing(d.name, [...d.writes, ...updates], d.reads);
    const bindings = [
      ...d.writes.map((t) => this.use(t, 'write', d.name)),
      ...updates.map((t) => this.use(t, 'update', d.name)),
      ...d.reads.map((t) => this.use(t, 'read', d.name)),
    ];
    this.commands.push({
      name: d.name,
      pipeline: pipelineSoon(this.device, d),
      bindings,
      written: d.writes.length + updates.length,
      uniform: d.params ? packParams(d.params) : null,
      workgroups: d.workgroups,
    });
  }

  /** A dispatch of tfjs's. */
  addCaptured(d: CapturedDispatch): void {
    const bindings = [
      this.use(d.output, 'write', d.name),
      ...d.inputs.map((t) => this.use(t, 'read', d.name)),
    ];
    this.commands.push({
      name: d.name,
      pipeline: d.pipeline,
      bindings,
      written: 1,
      uniform: d.uniform,
      workgroups: d.workgroups,
    });
  }

  /**
   * Leaves out commands whose results nothing reads: statistics that no gradient asks for, the end
   * of a block that runs again. Called once, after `keep`; lifetimes are counted anew.
   */
  prune(kept: readonly Ref[]): void {
    const live = new Set(kept.flatMap((r) => (r.kind === 'transient' ? [r.index] : [])));
    const needed: Command[] = [];
    for (const c of this.commands.toReversed()) {
      const written = c.bindings.slice(0, c.written);
      if (!written.some((r) => r.kind !== 'transient' || live.has(r.index))) continue;
      for (const r of c.bindings) if (r.kind === 'transient') live.add(r.index);
      needed.push(c);
    }
    this.commands.splice(0, this.commands.length, ...needed.reverse());
    for (const t of this.transients) if (t.last !== Infinity) t.last = -1;
    for (const t of this.transients) t.first = -1;
    this.commands.forEach((c, now) =>
      c.bindings.forEach((r) => {
        if (r.kind !== 'transient') return;
        const life = this.life(r.index);
        if (life.first < 0) life.first = now;
        life.last = Math.max(life.last, now);
      }),
    );
  }

  /** Keeps a transient alive to the end: an output or a tap. Returns where it is. */
  keep(t: Tensor): Ref {
    const ref = this.refOf(t, 'an output');
    if (ref.kind === 'transient') this.life(ref.index).last = Infinity;
    return ref;
  }

  private use(t: TensorInfo, access: 'write' | 'update' | 'read', by: string): Ref {
    const ref = this.refOf(t, by, access);
    if (ref.kind !== 'transient') {
      if (ref.kind === 'constant' && access !== 'read')
        throw new Error(`${by} writes a constant of the program ${this.name}.`);
      return ref;
    }
    const life = this.life(ref.index);
    const now = this.commands.length;
    if (life.first < 0) {
      if (access !== 'write')
        throw new Error(
          `${by} reads a tensor that nothing in the program ${this.name} has written.`,
        );
      life.first = now;
    }
    life.last = Math.max(life.last, now);
    return ref;
  }

  private refOf(t: TensorInfo, by: string, access = 'read'): Ref {
    const known = this.refs.get(t.dataId);
    if (known) return known;
    const where = residence(this.backend, t.dataId);
    const view = where.on === 'nowhere' ? viewBy(t) : undefined;
    const ref: Ref = view
      ? partOf(this.refOf(view.owner, by, access), view)
      : where.on === 'gpu'
        ? { kind: 'range', range: where.range }
        : where.on === 'cpu' && access === 'read'
          ? { kind: 'constant', index: this.constant(where.values, t.dtype) }
          : {
              kind: 'transient',
              index:
                this.transients.push({
                  name: by,
                  bytes: Math.max(
                    4,
                    util.sizeFromShape(t.shape) * (storageOf(t) === 'float16' ? 2 : 4),
                  ),
                  first: -1,
                  last: -1,
                }) - 1,
            };
    this.refs.set(t.dataId, ref);
    return ref;
  }

  private constant(values: ArrayLike<number>, dtype: string): number {
    const data = dtype === 'float32' ? Float32Array.from(values) : Int32Array.from(values);
    const words = new Uint32Array(data.buffer);
    const same = this.constants.findIndex(
      (c) => c.byteLength === data.byteLength && new Uint32Array(c).every((w, i) => w === words[i]),
    );
    return same >= 0 ? same : this.constants.push(data.buffer) - 1;
  }

  private checkAliasing(name: string, written: readonly Tensor[], read: readonly Tensor[]): void {
    for (const w of written)
      if (read.some((r) => ownerOf(r).dataId === ownerOf(w).dataId))
        throw new Error(`${name} reads and writes one buffer: list it under updates alone.`);
  }

  private life(index: number): Lifetime & { name: string } {
    const life = this.transients[index];
    if (!life) throw new RangeError(`No transient ${index}.`);
    return life;
  }
}

/** The part of a tensor that is not placed yet. */
function partOf(owner: Ref, { offset, size }: View): Ref {
  if (owner.kind === 'range') throw new Error('A view of a tensor that has its place has one too.');
  return { ...owner, part: { offset, size } };
}
