/**
 * Reverse-mode differentiation. Forward runs operations through `apply`, which records what their
 * gradients will need; `backward` walks the records in reverse, asks each operation only for the
 * gradients that are needed, adds those of parameters to their gradient buffers and (if a kernel
 * can) those of an activation to the gradient that already waits for it, and frees every saved
 * tensor after its last use. It replaces tfjs's gradient tape.
 *
 * Inside a traced program the same code runs over placeholders, and the planner frees the memory.
 */
import { clone, type Tensor, tidy } from '@tensorflow/tfjs-core';
import { type GradientContext, type OpDefinition, run, type Tensors } from '../ops/index.ts';
import { PendingGradients } from './pending_gradients.ts';
import type { Application, GradientSink, Node, Recipe, TapeEnd } from './tape_types.ts';

export type { GradientSink } from './tape_types.ts';

export interface ApplyOptions {
  /**
   * Gradients of what reads the outputs compute them once more, to the same bits, instead of keeping
   * them (selective recomputation, Korthikanti et al. 2022): for a cheap operation with large
   * outputs. The inputs are kept, or computed once more as well.
   */
  recompute?: boolean;
}

export class Tape {
  readonly #sink: GradientSink;
  readonly #recording: boolean;
  readonly #nodes: Node[] = [];
  /** Ids of the activations that need a gradient. */
  readonly #needing = new Set<number>();
  /** How many nodes still need a tensor, and whether forward has released it. */
  readonly #holds = new Map<Tensor, { count: number; released: boolean }>();
  /** How to compute tensors that are not kept, and from what. */
  readonly #recipes = new WeakMap<Tensor, Recipe>();
  /** Tensors of the current segment that forward may still read. */
  #loose = new Set<Tensor>();

  /** With `recording` false, forward saves nothing. */
  constructor(sink: GradientSink, recording: boolean) {
    this.#sink = sink;
    this.#recording = recording;
  }

  /** Runs an operation, and records it if some input needs a gradient. */
  apply<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    inputs: Tensors<I>,
    attrs: A,
    { recompute = false }: ApplyOptions = {},
  ): Tensors<O> {
    const outputs = run(op, inputs, attrs);
    for (const name of op.outputs) this.#loose.add(outputs[name]);
    const { gradient } = op;
    if (!this.#recording || !gradient) return outputs;
    if (recompute) this.#recompute(op, inputs, { attrs, outputs });
    const wanted = op.inputs.filter(
      (name): name is D & I => name in gradient.to && this.#needs(inputs[name]),
    );
    if (wanted.length === 0) return outputs;
    for (const name of gradient.from) this.#needing.add(outputs[name].id);
    const saved = [
      ...gradient.saves.inputs.flatMap(
        (name) => this.#recipes.get(inputs[name])?.from ?? [inputs[name]],
      ),
      ...gradient.saves.outputs.map((name) => outputs[name]),
    ];
    const application = { op, inputs, attrs, outputs, wanted };
    this.#record({ saved, back: (gradients) => this.#backThrough(application, gradients) });
    return outputs;
  }

  /**
   * Calls `fn` with the gradient of `x` once it is complete; `fn` may change its values in place
   * (PyTorch's `Tensor.register_hook`). To be called before anything reads `x`.
   */
  hook(x: Tensor, fn: (gradient: Tensor) => void): void {
    if (!this.#recording || !this.#needs(x)) return;
    const back = (gradients: PendingGradients): void => {
      const gradient = gradients.take(x.id);
      if (!gradient) return;
      fn(gradient);
      gradients.give(x.id, gradient);
    };
    this.#record({ saved: [], back });
  }

  /**
   * A stretch of forward whose inner tensors nothing outside reads: those that no gradient needs
   * are freed at its end.
   */
  segment(fn: () => Tensor): Tensor {
    const outer = this.#loose;
    this.#loose = new Set();
    const result = fn();
    for (const tensor of this.#loose) if (tensor !== result) this.release(tensor);
    this.#loose = outer;
    this.#loose.add(result);
    return result;
  }

  /**
   * Takes over a tensor that no operation has made, such as weights that were gathered for one use:
   * it is freed with its segment, and gradients that read it `make` it again.
   */
  adopt(tensor: Tensor, make: () => Tensor): void {
    this.#loose.add(tensor);
    if (this.#recording) this.#recipes.set(tensor, { from: [], make });
  }

  /**
   * A segment that keeps only its input and runs again in the backward pass (Chen et al. 2016,
   * Training Deep Nets with Sublinear Memory Cost). `fn` must be a function of its input, the
   * parameters and the step's random numbers.
   */
  checkpoint(x: Tensor, fn: (tape: Tape, x: Tensor) => Tensor): Tensor {
    if (!this.#recording) return this.segment(() => fn(this, x));
    const plain = new Tape(this.#sink, false);
    const y = plain.segment(() => fn(plain, x));
    this.#loose.add(y);
    this.#needing.add(y.id);
    this.#record({
      saved: [x],
      back: (gradients) => {
        const dy = gradients.take(y.id);
        if (!dy) return;
        const inner = new Tape(this.#sink, true);
        inner.#needing.add(x.id);
        const again = inner.segment(() => fn(inner, x));
        const dx = inner.#walk({ from: again, seed: dy }).take(x.id);
        inner.release(again);
        if (dx) gradients.give(x.id, dx);
      },
    });
    return y;
  }

  /** Forward no longer reads this tensor: it is freed now, or after the last gradient needs it. */
  release(tensor: Tensor): void {
    const held = this.#holds.get(tensor);
    this.#loose.delete(tensor);
    if (held) held.released = true;
    else if (!tensor.isDisposed) tensor.dispose();
  }

  /**
   * Walks back from `from`, whose gradient is `seed`; does not dispose `seed`. Afterwards the tape
   * is empty.
   */
  backward(from: Tensor, seed: Tensor): void {
    this.#walk({ from, seed: clone(seed) });
  }

  /**
   * Marks a tensor that this tape has not made, such as the activation that another rank sends, as
   * one whose gradient is needed (TensorFlow's `GradientTape.watch`).
   */
  watch(tensor: Tensor): void {
    this.#needing.add(tensor.id);
  }

  /**
   * `backward` from several tensors at once, which takes over their seeds and returns the gradient
   * of each watched tensor, undefined if nothing depends on it.
   */
  gradientsOf(watched: readonly Tensor[], ends: readonly TapeEnd[]): (Tensor | undefined)[] {
    const gradients = this.#walk(...ends);
    return watched.map(({ id }) => gradients.take(id));
  }

  #walk(...ends: readonly TapeEnd[]): PendingGradients {
    const gradients = new PendingGradients();
    for (const { from, seed } of ends) gradients.give(from.id, seed);
    for (let node = this.#nodes.pop(); node; node = this.#nodes.pop()) {
      node.back(gradients);
      for (const tensor of node.saved) this.#unhold(tensor);
    }
    return gradients;
  }

  #backThrough<I extends string, A, O extends string, D extends I>(
    application: Application<I, A, O, D>,
    gradients: PendingGradients,
  ): void {
    const { op, inputs, attrs, outputs, wanted } = application;
    const { gradient } = op;
    if (!gradient) return;
    const dy: Partial<Tensors<O>> = {};
    const arrived: Tensor[] = [];
    for (const name of gradient.from) {
      const part = gradients.take(outputs[name].id);
      if (!part) continue;
      dy[name] = part;
      arrived.push(part);
    }
    if (arrived.length === 0) return;
    const into = this.#targets(application, gradients);
    const asked: Partial<Record<I, true>> = {};
    for (const name of wanted) asked[name] = true;
    const ready = this.#recomputing(op.inputs, inputs);
    const context: GradientContext<I, A, O> = {
      inputs: ready,
      outputs,
      attrs,
      dy,
      into,
      wanted: asked,
    };
    const results = tidy(() =>
      wanted.map((name) => {
        const result = gradient.to[name](context);
        // A function may return dy itself: each reader then gets a handle of its own.
        return arrived.includes(result) ? clone(result) : result;
      }),
    );
    wanted.forEach((name, i) => {
      const result = results[i];
      if (result && result !== into[name]) this.#deliver(inputs[name], result, gradients);
      const parameter = this.#sink.parameterOf(inputs[name]);
      if (parameter !== undefined) this.#sink.added?.(parameter);
    });
    for (const part of arrived) part.dispose();
  }

  /** Remembers how to make the outputs again, from inputs that are kept or made again themselves. */
  #recompute<I extends string, A, O extends string, D extends I>(
    op: OpDefinition<I, A, O, D>,
    inputs: Tensors<I>,
    { attrs, outputs }: Pick<Application<I, A, O, D>, 'attrs' | 'outputs'>,
  ): void {
    // Adopted tensors have nothing that they could be made from here, so they are kept.
    const isMade = (tensor: Tensor): boolean => (this.#recipes.get(tensor)?.from.length ?? 0) > 0;
    const made = op.inputs.filter((name) => isMade(inputs[name]));
    const from = op.inputs.flatMap(
      (name) => (made.includes(name) && this.#recipes.get(inputs[name])?.from) || [inputs[name]],
    );
    const again = () => run(op, this.#recomputing(made, inputs), attrs);
    for (const name of op.outputs) {
      this.#recipes.set(outputs[name], { from, make: () => again()[name] });
    }
  }

  /** The inputs, of which those with a recipe are computed when a gradient function reads them. */
  #recomputing<I extends string>(names: readonly I[], inputs: Tensors<I>): Tensors<I> {
    const ready = { ...inputs };
    for (const name of names) {
      const recipe = this.#recipes.get(inputs[name]);
      if (!recipe) continue;
      let made: Tensor | undefined;
      Object.defineProperty(ready, name, { get: () => (made ??= recipe.make()) });
    }
    return ready;
  }

  /** Tensors that a kernel may add the wanted gradients to, by input. */
  #targets<I extends string, A, O extends string, D extends I>(
    { inputs, wanted }: Application<I, A, O, D>,
    gradients: PendingGradients,
  ): Partial<Tensors<I>> {
    const into: Partial<Tensors<I>> = {};
    for (const name of wanted) {
      const parameter = this.#sink.parameterOf(inputs[name]);
      const target =
        parameter === undefined ? gradients.addable(inputs[name].id) : this.#sink.buffer(parameter);
      if (target) into[name] = target;
    }
    return into;
  }

  /** Hands a gradient to its parameter, or keeps it for the node that made the activation. */
  #deliver(input: Tensor, gradient: Tensor, gradients: PendingGradients): void {
    const parameter = this.#sink.parameterOf(input);
    if (parameter === undefined) {
      gradients.give(input.id, gradient);
      return;
    }
    this.#sink.add(parameter, gradient);
    gradient.dispose();
  }

  #needs(tensor: Tensor): boolean {
    return this.#needing.has(tensor.id) || this.#sink.parameterOf(tensor) !== undefined;
  }

  #record(node: Node): void {
    for (const tensor of node.saved) {
      const held = this.#holds.get(tensor);
      if (held) held.count++;
      else this.#holds.set(tensor, { count: 1, released: false });
    }
    this.#nodes.push(node);
  }

  #unhold(tensor: Tensor): void {
    const held = this.#holds.get(tensor);
    if (!held || --held.count > 0) return;
    this.#holds.delete(tensor);
    if (held.released && !tensor.isDisposed) tensor.dispose();
  }
}
