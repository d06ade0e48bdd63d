/**
 * The backward walker. Forward runs operations through `apply`, which notes what their gradients
 * will need; `backward` goes over the notes in reverse, asks each operation only for the gradients
 * that somebody needs, adds those of parameters to their gradient buffers and (where a kernel can)
 * those of an activation to what waits for it already, and frees every saved tensor after its last
 * use. tfjs's tape takes no part.
 *
 * Inside a traced program the same code runs over placeholders: freeing is then the planner's
 * business.
 */
import { clone, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { ownsBuffer } from '../backend/index.ts';
import { add, kernelsInUse, type OpDefinition, run, type Tensors } from '../ops/index.ts';

/** Where the gradients of parameters go. */
export interface GradientSink {
  /** The parameter that this tensor is, if it is one that trains. */
  parameterOf(tensor: Tensor): string | undefined;
  /** Buffer that kernels may add to directly, where the backend has such buffers. */
  buffer(parameter: string): Tensor | undefined;
  /** Adds a gradient that came as a tensor of its own. */
  add(parameter: string, gradient: Tensor): void;
}

interface Node {
  saved: readonly Tensor[];
  back(grads: Grads): void;
}

/** Gradients of activations that are waiting for their node, by tensor id. */
class Grads {
  private readonly waiting = new Map<number, Tensor>();

  /** Takes over `g` as (one more part of) the gradient of the tensor. */
  give(id: number, g: Tensor): void {
    const before = this.waiting.get(id);
    if (!before) {
      this.waiting.set(id, g);
      return;
    }
    this.waiting.set(id, run(add, { a: before, b: g }, {}).sum);
    before.dispose();
    g.dispose();
  }

  /**
   * What waits for the tensor, if a kernel may add to it in place: a clone (`add` gives two of its
   * dy) shares its buffer.
   */
  addable(id: number): Tensor | undefined {
    const g = this.waiting.get(id);
    return g && kernelsInUse() && ownsBuffer(g) ? g : undefined;
  }

  take(id: number): Tensor | undefined {
    const g = this.waiting.get(id);
    this.waiting.delete(id);
    return g;
  }
}

export class Tape {
  private nodes: Node[] = [];
  private readonly needing = new Set<number>();
  private readonly holds = new Map<Tensor, { count: number; released: boolean }>();
  private loose = new Set<Tensor>();

  /** `recording` false makes it a plain forward: nothing is saved. */
  constructor(
    private readonly sink: GradientSink,
    private readonly recording: boolean,
  ) {}

  /** Runs an operation and notes its gradient, if some input needs one. */
  apply<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    inputs: Tensors<I>,
    attrs: A,
  ): Tensors<O> {
    const outputs = run(op, inputs, attrs);
    for (const o of op.outputs) this.loose.add(outputs[o]);
    const gradient = op.gradient;
    if (!this.recording || !gradient) return outputs;
    const wanted = op.inputs.filter((i): i is D & I => i in gradient.to && this.needs(inputs[i]));
    if (wanted.length === 0) return outputs;
    for (const o of gradient.from) this.needing.add(outputs[o].id);
    const saved = [
      ...gradient.saves.inputs.map((i) => inputs[i]),
      ...gradient.saves.outputs.map((o) => outputs[o]),
    ];
    this.note({
      saved,
      back: (grads) => this.backThrough(op, inputs, attrs, outputs, wanted, grads),
    });
    return outputs;
  }

  /**
   * A stretch of forward whose inner tensors nothing outside reads: those that no gradient needs
   * are freed at its end.
   */
  segment(fn: () => Tensor): Tensor {
    const outer = this.loose;
    this.loose = new Set();
    const result = fn();
    for (const t of this.loose) if (t !== result) this.release(t);
    this.loose = outer;
    this.loose.add(result);
    return result;
  }

  /**
   * A segment that keeps its input alone and runs again in the backward pass (Chen et al. 2016,
   * Training Deep Nets with Sublinear Memory Cost). `fn` must be a function of its input, the
   * parameters and the step's random numbers.
   */
  checkpoint(x: Tensor, fn: (tape: Tape, x: Tensor) => Tensor): Tensor {
    if (!this.recording) return this.segment(() => fn(this, x));
    const plain = new Tape(this.sink, false);
    const y = plain.segment(() => fn(plain, x));
    this.loose.add(y);
    this.needing.add(y.id);
    this.note({
      saved: [x],
      back: (grads) => {
        const dy = grads.take(y.id);
        if (!dy) return;
        const inner = new Tape(this.sink, true);
        inner.needing.add(x.id);
        const again = inner.segment(() => fn(inner, x));
        const dx = inner.walk(again, dy).take(x.id);
        inner.release(again);
        if (dx) grads.give(x.id, dx);
      },
    });
    return y;
  }

  /**
   * This tensor is read no more by forward; it is freed now, or after the gradient that needs it.
   */
  release(t: Tensor): void {
    const held = this.holds.get(t);
    this.loose.delete(t);
    if (held) held.released = true;
    else if (!t.isDisposed) t.dispose();
  }

  /**
   * Walks back from `from`, whose gradient is `seed` (which the walk does not dispose). The tape is
   * then used up.
   */
  backward(from: Tensor, seed: Tensor): void {
    this.walk(from, clone(seed));
  }

  private walk(from: Tensor, seed: Tensor): Grads {
    const grads = new Grads();
    grads.give(from.id, seed);
    for (let node = this.nodes.pop(); node; node = this.nodes.pop()) {
      node.back(grads);
      for (const t of node.saved) this.unhold(t);
    }
    return grads;
  }

  private backThrough<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    inputs: Tensors<I>,
    attrs: A,
    outputs: Tensors<O>,
    wanted: readonly (D & I)[],
    grads: Grads,
  ): void {
    const gradient = op.gradient;
    const dy: Partial<Tensors<O>> = {};
    const into: Partial<Tensors<I>> = {};
    const asked: Partial<Record<I, true>> = {};
    if (!gradient) return;
    const parts: Tensor[] = [];
    for (const o of gradient.from) {
      const g = grads.take(outputs[o].id);
      if (g) {
        dy[o] = g;
        parts.push(g);
      }
    }
    if (parts.length === 0) return;
    const parameters = wanted.map((i) => this.sink.parameterOf(inputs[i]));
    wanted.forEach((i, k) => {
      const p = parameters[k];
      const target = p === undefined ? grads.addable(inputs[i].id) : this.sink.buffer(p);
      if (target) into[i] = target;
      asked[i] = true;
    });
    const context = { inputs, outputs, attrs, dy, into, wanted: asked };
    // A function may give back dy itself: each reader then gets a handle of its own.
    const results = tidy(() =>
      wanted.map((i) => {
        const g = gradient.to[i](context);
        return parts.includes(g) ? clone(g) : g;
      }),
    );
    wanted.forEach((i, k) => {
      const g = results[k];
      const parameter = parameters[k];
      if (!g || g === into[i]) return;
      if (parameter === undefined) {
        grads.give(inputs[i].id, g);
        return;
      }
      this.sink.add(parameter, g);
      g.dispose();
    });
    for (const g of parts) g.dispose();
  }

  private needs(t: Tensor): boolean {
    return this.needing.has(t.id) || this.sink.parameterOf(t) !== undefined;
  }

  private note(node: Node): void {
    for (const t of node.saved) {
      const held = this.holds.get(t);
      if (held) held.count++;
      else this.holds.set(t, { count: 1, released: false });
    }
    this.nodes.push(node);
  }

  private unhold(t: Tensor): void {
    const held = this.holds.get(t);
    if (!held || --held.count > 0) return;
    this.holds.delete(t);
    if (held.released && !t.isDisposed) t.dispose();
  }
}
