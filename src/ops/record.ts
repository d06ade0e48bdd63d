/**
 * The record of an operation. Everything else is derived from it: how the operation runs (reference
 * or kernel), the parity test on every backend, the gradient check against finite differences and
 * tfjs's tape, and the micro-benchmark. An operation without a gradient check cannot exist. (Modeled
 * on the op table of webgpu-torch and the rules of jax-js.)
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { OpBenches } from './bench.ts';

export type DType = 'float32' | 'int32';

/** A tensor's values in plain JavaScript, row-major; int32 values are held as float64 as well. */
export interface HostTensor {
  shape: readonly number[];
  dtype: DType;
  data: Float64Array;
}

export type Tensors<K extends string> = Record<K, Tensor>;
export type Hosts<K extends string> = Record<K, HostTensor>;

/**
 * The argument of gradient functions: the operation's inputs, outputs and attributes, and the
 * gradients of its outputs. There is one object per node; all gradient functions of a node get the
 * same object, within one tidy (`perNode`).
 */
export interface GradientContext<I extends string, A, O extends string> {
  inputs: Tensors<I>;
  outputs: Tensors<O>;
  attrs: A;
  /** Gradient of each differentiable output; missing for an output that nothing used. */
  dy: Partial<Tensors<O>>;
  /**
   * Gradients to add to, by input, if the caller has any (on WebGPU: a parameter's gradient buffer,
   * or the gradient of an activation so far). Pass them on as `into` of `run`, which then returns
   * that tensor. If a function returns another tensor, the caller adds it.
   */
  into: Partial<Tensors<I>>;
  /** Inputs whose gradients are requested, for kernels that compute several of them. */
  wanted: Partial<Record<I, true>>;
}

/**
 * A result that the gradient functions of several inputs share: computed at the first use, once per
 * context.
 */
export function perNode<C extends object, T>(make: (context: C) => T): (context: C) => T {
  const made = new WeakMap<C, { value: T }>();
  return (context) => {
    let result = made.get(context);
    if (!result) {
      result = { value: make(context) };
      made.set(context, result);
    }
    return result.value;
  };
}

/** Generates inputs of cases, deterministically. */
export interface CaseRandom {
  normal(shape: readonly number[], std?: number, mean?: number): HostTensor;
  /** Integers from 0 to `below` - 1. */
  ints(shape: readonly number[], below: number): HostTensor;
  values(shape: readonly number[], data: readonly number[], dtype?: DType): HostTensor;
}

/** Inputs and attributes that the checks run with. Keep them small: software WebGPU runs them. */
export interface OpCase<I extends string, A> {
  name: string;
  inputs: (random: CaseRandom) => Hosts<I>;
  attrs: A;
  /**
   * Tolerances. Default to 1e-5 and 1e-4 for the forward, 1e-4 and 1e-3 for gradients. State the
   * reason next to a looser one.
   */
  atol?: number;
  rtol?: number;
}

export interface OpDefinition<I extends string, A, O extends string, D extends I> {
  /** snake_case, the field's name for the operation. */
  name: string;
  inputs: readonly I[];
  outputs: readonly O[];
  /** Forward in plain float64 loops. */
  oracle(inputs: Hosts<I>, attrs: A): Hosts<O>;
  /** Forward in tfjs ops, for every backend. Runs inside a tidy. */
  reference(inputs: Tensors<I>, attrs: A): Tensors<O>;
  /**
   * Forward in WGSL through `dispatch` of backend/, for WebGPU. Null if the reference's kernels are
   * good enough.
   */
  kernel: ((inputs: Tensors<I>, attrs: A, into: Partial<Tensors<O>>) => Tensors<O>) | null;
  /**
   * Forward by kernels of `assembly/` through `runOnProcessor` of backend/, for the engine on the
   * processor, which has no reference. Operations of `index.ts` get theirs from `implement`.
   */
  processor?: (inputs: Tensors<I>, attrs: A, into: Partial<Tensors<O>>) => Tensors<O>;
  /** Outputs that both can add to an existing buffer (`into`) instead of a new tensor. */
  accumulates?: readonly O[];
  /**
   * Inputs that the kernel also reads stored as float16, provided that `when` holds; it then creates
   * its outputs with `activation`. Otherwise, and for other inputs, float16 tensors are unpacked
   * first and outputs are float32.
   */
  float16?: { inputs: readonly I[]; when?: (inputs: Tensors<I>, attrs: A) => boolean };
  /**
   * One function per differentiable input, called only if that gradient is needed. Null marks an
   * operation that is itself part of a gradient or of an update, and is checked only by its oracle.
   */
  gradient: {
    /** The tensors that the functions read; everything else is freed. */
    saves: { inputs: readonly I[]; outputs: readonly O[] };
    /** Outputs that gradients can flow back through (the others are statistics). */
    from: readonly O[];
    /** A function may return `dy` itself (as in `add`), so the caller must not write to the result. */
    to: Record<D, (context: GradientContext<I, A, O>) => Tensor>;
  } | null;
  cases: readonly OpCase<I, A>[];
  /** What the micro-benchmark times; a test requires entries of every operation. */
  bench?: OpBenches<I, A>;
}

/**
 * An operation with its type parameters hidden, so that lists can hold it. `visit` passes the record
 * to a function that is generic in them.
 */
export interface AnyOp {
  name: string;
  visit<R>(
    visitor: <I extends string, A, O extends string, D extends I>(
      op: OpDefinition<I, A, O, D>,
    ) => R,
  ): R;
}

const registry = new Map<string, AnyOp>();

/** Registers an operation and returns its record. Throws on a duplicate name. */
export function defineOp<I extends string, A, O extends string, D extends I = never>(
  definition: OpDefinition<I, A, O, D>,
): OpDefinition<I, A, O, D> {
  const { name } = definition;
  if (registry.has(name)) throw new Error(`Operation ${name} is defined twice.`);
  registry.set(name, { name, visit: (visitor) => visitor(definition) });
  return definition;
}

/**
 * Gives an operation its implementation on the processor. Files named `processor.ts` do this: only
 * the engine loads them, so that visitors whose browser has WebGPU do not download them.
 */
export function implement<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  processor: NonNullable<OpDefinition<I, A, O, D>['processor']>,
): void {
  op.processor = processor;
}

/** Every operation, for tests and benchmarks. */
export const allOps = (): AnyOp[] => [...registry.values()];

/** A record with a value for each key. */
export function recordOf<K extends string, V>(
  keys: readonly K[],
  make: (key: K) => V,
): Record<K, V> {
  const partial: Partial<Record<K, V>> = {};
  for (const key of keys) partial[key] = make(key);
  if (!hasAll(keys, partial)) throw new Error(`Expected a value for each of ${keys.join(', ')}.`);
  return partial;
}

const hasAll = <K extends string, V>(
  keys: readonly K[],
  partial: Partial<Record<K, V>>,
): partial is Record<K, V> => keys.every((key) => key in partial);
