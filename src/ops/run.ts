/**
 * Runs operations: by WGSL on WebGPU, by `processor` on the engine on the processor, by the reference
 * elsewhere.
 */
import { type Tensor, tidy } from '@tensorflow/tfjs-core';
import {
  addInPlace,
  convert,
  hasOwnKernels,
  onProcessor,
  storageOf,
  withActivations,
} from '../backend/index.ts';
import { type OpDefinition, recordOf, type Tensors } from './record.ts';

let referenceOnly = false;

/** Runs `fn` with reference implementations even where kernels exist, for comparison and tests. */
export function withReferences<T>(fn: () => T): T {
  const before = referenceOnly;
  referenceOnly = true;
  try {
    return fn();
  } finally {
    referenceOnly = before;
  }
}

/** Whether `run` currently uses kernels. */
export const kernelsInUse = (): boolean => !referenceOnly && hasOwnKernels();

/**
 * Runs an operation on the current backend. `into` names outputs that are added to an existing
 * tensor in place (own kernels only); that tensor is then returned for them.
 */
export function run<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  inputs: Tensors<I>,
  attrs: A,
  into: Partial<Tensors<O>> = {},
): Tensors<O> {
  const kernel = kernelsInUse() ? kernelOf(op) : null;
  return kernel
    ? runKernel(op, kernel, { inputs, attrs, into })
    : runReference(op, { inputs, attrs, into });
}

/** The implementation for the current backend; null if that is the reference. */
export function kernelOf<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
): OpDefinition<I, A, O, D>['kernel'] {
  if (!onProcessor()) return op.kernel;
  if (!op.processor)
    throw new Error(
      `The operation ${op.name} has no implementation on the processor: none in its record, and none ` +
        'in a file that ops/processor.ts imports.',
    );
  return op.processor;
}

interface Call<I extends string, A, O extends string> {
  inputs: Tensors<I>;
  attrs: A;
  into: Partial<Tensors<O>>;
}

function runReference<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  { inputs, attrs, into }: Call<I, A, O>,
): Tensors<O> {
  const { ready, unpacked } = unpack(op.inputs, inputs, []);
  const results = tidy(() => op.reference(ready, attrs));
  disposeUnless(unpacked, op.outputs, results);
  return addTo(results, into, {});
}

function runKernel<I extends string, A, O extends string, D extends I>(
  op: OpDefinition<I, A, O, D>,
  kernel: NonNullable<OpDefinition<I, A, O, D>['kernel']>,
  { inputs, attrs, into }: Call<I, A, O>,
): Tensors<O> {
  const { float16 } = op;
  const readsFloat16 = float16 !== undefined && (float16.when?.(inputs, attrs) ?? true);
  const { ready, unpacked } = unpack(op.inputs, inputs, readsFloat16 ? float16.inputs : []);
  const direct: Partial<Tensors<O>> = {};
  for (const output of op.accumulates ?? []) {
    const target = into[output];
    if (target && (readsFloat16 || storageOf(target) === 'float32')) direct[output] = target;
  }
  const results = readsFloat16
    ? kernel(ready, attrs, direct)
    : withActivations('float32', () => kernel(ready, attrs, direct));
  disposeUnless(unpacked, op.outputs, results);
  return addTo(results, into, direct);
}

/** Replaces inputs stored as float16 by new float32 tensors, except those that the kernel reads. */
function unpack<I extends string>(
  names: readonly I[],
  inputs: Tensors<I>,
  readAsFloat16: readonly I[],
): { ready: Tensors<I>; unpacked: Tensor[] } {
  const unpacked: Tensor[] = [];
  const ready = recordOf(names, (name): Tensor => {
    if (storageOf(inputs[name]) === 'float32' || readAsFloat16.includes(name)) return inputs[name];
    const tensor = convert(inputs[name], 'float32');
    unpacked.push(tensor);
    return tensor;
  });
  return { ready, unpacked };
}

/** Disposes the tensors, except those that an operation returned because it writes in place. */
function disposeUnless<O extends string>(
  tensors: readonly Tensor[],
  outputs: readonly O[],
  results: Tensors<O>,
): void {
  for (const tensor of tensors)
    if (!outputs.some((output) => results[output] === tensor)) tensor.dispose();
}

/** Adds results to the tensors of `into`, except those that the kernel has added itself. */
function addTo<O extends string>(
  results: Tensors<O>,
  into: Partial<Tensors<O>>,
  done: Partial<Tensors<O>>,
): Tensors<O> {
  for (const output of Object.keys(into) as O[]) {
    const target = into[output];
    if (!target || done[output]) continue;
    addInPlace(target, results[output]);
    results[output].dispose();
    results[output] = target;
  }
  return results;
}
