/**
 * One record an operation. From it come the way it runs (reference or kernel), the parity test on
 * every backend, the gradient check against finite differences and tfjs's tape, and the
 * micro-benchmark: an operation without a gradient check cannot exist (after webgpu-torch's op
 * table and jax-js's rules).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import { tidy } from '@tensorflow/tfjs-core';
import {
  addInPlace,
  backendHasKernels,
  convert,
  storageOf,
  withActivations,
} from '../backend/index.ts';

export type DType = 'float32' | 'int32';

/** Values of a tensor in plain JavaScript, row-major; int32 values are held as float64 too. */
export interface HostTensor {
  shape: readonly number[];
  dtype: DType;
  data: Float64Array;
}

export type Tensors<K extends string> = Record<K, Tensor>;
export type Hosts<K extends string> = Record<K, HostTensor>;

/**
 * What a gradient function gets: the operation's inputs and outputs, its attributes, and the
 * gradients of its outputs. One object a node: all the gradient functions of a node are called with
 * the same one, in one tidy (`perNode`).
 */
export interface GradientContext<I extends string, A, O extends string> {
  inputs: Tensors<I>;
  outputs: Tensors<O>;
  attrs: A;
  /** Gradient of each differentiable output; an output that nothing used has none. */
  dy: Partial<Tensors<O>>;
  /**
   * Gradients to add to, by input, where the caller has them (on WebGPU: buffers of parameters, and
   * what waits already for an activation): pass them on as `into` of `run`, then that tensor is
   * what comes back. A gradient that comes back as another tensor is added by the caller.
   */
  into: Partial<Tensors<I>>;
  /** Inputs whose gradients are asked for: one kernel may make several of them. */
  wanted: Partial<Record<I, true>>;
}

/**
 * A result that the gradients of several inputs of one node share: made at the first use, once a
 * context.
 */
export function perNode<C extends object, T>(make: (context: C) => T): (context: C) => T {
  const made = new WeakMap<C, { value: T }>();
  return (context) => {
    let result = made.get(context);
    if (!result) made.set(context, (result = { value: make(context) }));
    return result.value;
  };
}

/**
 * A numeric case for the checks. `inputs` are made from the seed; `attrs` fixed. Keep them tiny:
 * software WebGPU runs them.
 */
export interface OpCase<I extends string, A> {
  name: string;
  inputs: (random: CaseRandom) => Hosts<I>;
  attrs: A;
  /**
   * Defaults 1e-5 and 1e-4 for the forward, 1e-4 and 1e-3 for gradients; say why beside a looser
   * one.
   */
  atol?: number;
  rtol?: number;
}
export interface CaseRandom {
  normal(shape: readonly number[], std?: number, mean?: number): HostTensor;
  ints(shape: readonly number[], below: number): HostTensor;
  values(shape: readonly number[], data: readonly number[], dtype?: DType): HostTensor;
}

export interface OpDefinition<I extends string, A, O extends string, D extends I> {
  /** snake_case, the field's name for it. */
  name: string;
  inputs: readonly I[];
  outputs: readonly O[];
  /** Forward in plain float64 loops. */
  oracle(inputs: Hosts<I>, attrs: A): Hosts<O>;
  /** Forward in tfjs ops, on every backend. Runs inside a tidy. */
  reference(inputs: Tensors<I>, attrs: A): Tensors<O>;
  /**
   * Forward as WGSL through `dispatch` of backend/, on WebGPU alone; null where the reference's
   * kernels are right.
   */
  kernel: ((inputs: Tensors<I>, attrs: A, into: Partial<Tensors<O>>) => Tensors<O>) | null;
  /**
   * Outputs that the kernel can add to an existing buffer (`into`) instead of writing a new tensor.
   */
  accumulates?: readonly O[];
  /**
   * The kernel makes its outputs that are activations by `activation`, and reads these inputs
   * stored as halves too (when `when` holds). Without it, and for other inputs, halves are unpacked
   * beforehand and outputs are float32.
   */
  float16?: { inputs: readonly I[]; when?: (inputs: Tensors<I>, attrs: A) => boolean };
  /**
   * Gradient by input, each a function that is called only if that gradient is needed. `saves`
   * names what they read, so that everything else is freed. `null` marks an operation that is
   * itself part of a gradient or of an update and is checked through the oracle alone.
   */
  gradient: {
    saves: { inputs: readonly I[]; outputs: readonly O[] };
    /** Outputs that a gradient can come back through (the others are statistics). */
    from: readonly O[];
    /**
     * A function may give back `dy` itself where that is the gradient (add): the caller must not
     * write to it.
     */
    to: Record<D, (context: GradientContext<I, A, O>) => Tensor>;
  } | null;
  cases: readonly OpCase<I, A>[];
}

/**
 * An operation whose type parameters are hidden, as lists hold it: `visit` opens it to a function
 * that is generic in them.
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

/** Registers the operation and gives it back; a second one of the same name is an error of ours. */
export function defineOp<I extends string, A, O extends string, D extends I = never>(
  definition: OpDefinition<I, A, O, D>,
): OpDefinition<I, A, O, D> {
  if (registry.has(definition.name))
    throw new Error(`Operation ${definition.name} is defined twice.`);
  if (definition.cases.length === 0)
    throw new Error(`Operation ${definition.name} has no cases to check it by.`);
  registry.set(definition.name, { name: definition.name, visit: (visitor) => visitor(definition) });
  return definition;
}

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

/** Every operation, for tests and benchmarks. */
export const allOps = (): AnyOp[] => [...registry.values()];

let referenceOnly = false;
/**
 * Runs `fn` with reference implementations even where there is a kernel (plain tfjs, for comparison
 * and tests).
 */
export function withReferences<T>(fn: () => T): T {
  const before = referenceOnly;
  referenceOnly = true;
  try {
    return fn();
  } finally {
    referenceOnly = before;
  }
}

/** Whether `run` takes kernels now. */
export const kernelsInUse = (): boolean => !referenceOnly && backendHasKernels();

/**
 * Runs an operation on the present backend: the kernel on WebGPU, the reference elsewhere. `into`
 * names outputs that are added to an existing buffer (in place; WebGPU only), which is then what
 * comes back for them.
 */
export function run<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  inputs: Tensors<I>,
  attrs: A,
  into: Partial<Tensors<O>> = {},
): Tensors<O> {
  const kernel = kernelsInUse() ? op.kernel : null;
  const aware =
    kernel !== null && op.float16 !== undefined && (op.float16.when?.(inputs, attrs) ?? true);
  const { ready, made } = unpacked(op.inputs, inputs, aware ? (op.float16?.inputs ?? []) : []);
  const direct: Partial<Tensors<O>> = {};
  for (const o of kernel ? (op.accumulates ?? []) : [])
    if (into[o] && (aware || storageOf(into[o]) === 'float32')) direct[o] = into[o];
  const results = kernel
    ? aware
      ? kernel(ready, attrs, direct)
      : withActivations('float32', () => kernel(ready, attrs, direct))
    : tidy(() => op.reference(ready, attrs));
  // An operation that writes in place gives back its input.
  for (const t of made) if (!op.outputs.some((o) => results[o] === t)) t.dispose();
  return addTo(results, into, direct);
}

/**
 * Inputs stored as halves become new float32 tensors (`made`), but for those that are taken as they
 * are.
 */
function unpacked<I extends string>(
  names: readonly I[],
  inputs: Tensors<I>,
  taken: readonly I[],
): { ready: Tensors<I>; made: Tensor[] } {
  const made: Tensor[] = [];
  const unpack = (name: I): Tensor => {
    if (storageOf(inputs[name]) === 'float32' || taken.includes(name)) return inputs[name];
    const t = convert(inputs[name], 'float32');
    made.push(t);
    return t;
  };
  return { ready: recordOf(names, unpack), made };
}

function addTo<O extends string>(
  results: Tensors<O>,
  into: Partial<Tensors<O>>,
  done: Partial<Tensors<O>>,
): Tensors<O> {
  for (const o of Object.keys(into) as O[]) {
    const target = into[o];
    if (!target || done[o]) continue;
    addInPlace(target, results[o]);
    results[o].dispose();
    results[o] = target;
  }
  return results;
}
