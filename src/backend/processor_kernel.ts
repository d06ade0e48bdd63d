/** Parts of the tfjs kernels of the engine on the processor. */
import { type NamedAttrMap, Tensor, type TensorInfo } from '@tensorflow/tfjs-core';
import { output } from './dispatch.ts';
import type { Param } from './dispatch_types.ts';
import { tensorMemory } from './state.ts';

export type DType = 'float32' | 'int32' | 'bool';
export type Inputs = Record<string, TensorInfo | TensorInfo[] | undefined>;
/** A kernel as a function of its inputs, by name, and its attributes. */
export type Run = (inputs: Inputs, attrs: NamedAttrMap) => Tensor;

export const integers = (...values: readonly number[]): Param[] =>
  values.map((value): Param => ['i32', value]);

/** A new tensor for a kernel to write. A bool takes four bytes, as int32 does. */
export function newTensor(shape: readonly number[], dtype: string): Tensor {
  if (dtype === 'bool') return tensorMemory().placeholder(shape, dtype);
  return output(shape, dtype === 'int32' ? 'int32' : 'float32');
}

/** The input of this name; an error if it is missing. */
export function input(inputs: Inputs, name: string): Tensor {
  const tensor = inputs[name];
  if (isTensor(tensor)) return tensor;
  throw new TypeError(`A kernel on the processor needs the tensor ${name}.`);
}

function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor;
}

/** Throws an error that names the kernel and what it does not support. */
export function unsupported(kernel: string, what: string): never {
  throw new Error(`${kernel} on the processor does not support ${what}.`);
}

/** The numbers of an attribute that is one number or a list. */
export function numbersOf(attribute: unknown): number[] {
  return (Array.isArray(attribute) ? attribute : [attribute]).map(Number);
}
