/** Traces without a device: the memory is a fake. */
import { tensor1d, type Tensor } from '@tensorflow/tfjs-core';
import '@tensorflow/tfjs-backend-cpu';
import { describe, expect, it } from 'vitest';
import type { TensorMemory } from './tensor_memory.ts';
import { Trace } from './trace.ts';

/** Memory in which every tensor is still in JavaScript. */
function memoryOf(tensors: readonly Tensor[]): TensorMemory {
  const refuse = (): never => {
    throw new Error('A trace of constants needs no memory.');
  };
  return {
    largest: Infinity,
    placeholder: refuse,
    bind: refuse,
    residence: ({ dataId }) => {
      const values = tensors.find((tensor) => tensor.dataId === dataId)?.dataSync();
      return values ? { on: 'host', values } : { on: 'nowhere' };
    },
    ensure: refuse,
    references: refuse,
    createBuffer: refuse,
    write: refuse,
  };
}

describe('the constants of a trace', () => {
  it('are stored once if all their bits are equal', () => {
    const tensors = [
      tensor1d([1, 2]),
      tensor1d([2, 1]),
      tensor1d([1, 2]),
      tensor1d([0]),
      tensor1d([-0]),
      tensor1d([0, 0]),
      tensor1d([2, 1]),
      tensor1d([1065353216, 1073741824], 'int32'),
    ];
    const trace = new Trace(memoryOf(tensors), 'test');
    const indices = tensors.map((tensor) => {
      const ref = trace.refOf(tensor);
      return ref.kind === 'constant' ? ref.index : null;
    });
    // The last one has the bits of [1, 2] in float32.
    expect(indices).toEqual([0, 1, 0, 2, 3, 4, 1, 0]);
    expect(trace.constants.map((constant) => constant.byteLength)).toEqual([8, 8, 4, 4, 8]);
  });
});
