/**
 * An activation with two gradients: the second is added to the first in place, unless something
 * else reads the first one's buffer.
 */
import { dispose, ones, tensor, type Tensor } from '@tensorflow/tfjs-core';
import { describe, expect, it } from 'vitest';
import {
  compileProgram,
  readback,
  startBackend,
  Store,
  submit,
  type Values,
} from '../backend/index.ts';
import { add, linear, rmsNorm } from '../ops/index.ts';
import { expectClose } from '../testing/expect_close.ts';
import { Gradients, parameterSize, Tape } from './index.ts';

const N = 5;
const D = 8;
const specs = [
  { name: 'first', shape: [D, D] },
  { name: 'second', shape: [D, D] },
  { name: 'scale', shape: [D] },
  { name: 'last', shape: [D, D] },
];

function exampleValues(length: number, offset: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => Math.sin(offset + 1.7 * i));
}

type Branch = (tape: Tape, weights: Store, x: Tensor) => Tensor;

/** Gradients of sum((x + branch(x)) W_last) with x = input W_first, and the kernels that ran. */
async function gradientsOf(
  branch: Branch,
): Promise<{ values: Map<string, Values>; kernels: readonly string[] }> {
  const weights = new Store('weights', specs);
  const sink = new Gradients(new Store('gradients', specs), weights);
  const input = tensor(exampleValues(N * D, 0), [N, D]);
  const seed = ones([N, D]);
  specs.forEach((spec, i) => weights.write(spec.name, exampleValues(parameterSize(spec), i + 1)));
  // Uploads both, so that they are not constants of the traced program.
  await readback([input, seed]);
  const program = await compileProgram('tape', () => {
    sink.refresh();
    const tape = new Tape(sink, true);
    const x = tape.apply(linear, { x: input, weight: weights.get('first') }, {}).y;
    const { sum } = tape.apply(add, { a: x, b: branch(tape, weights, x) }, {});
    tape.backward(tape.apply(linear, { x: sum, weight: weights.get('last') }, {}).y, seed);
    return {};
  });
  submit([program]);
  const result = { values: await sink.store.read(), kernels: program.kernels };
  program.dispose();
  weights.dispose();
  sink.store.dispose();
  dispose([input, seed]);
  return result;
}

const matmulBranch: Branch = (tape, weights, x) =>
  tape.apply(linear, { x, weight: weights.get('second') }, {}).y;

const normAndMatmul: Branch = (tape, weights, x) => {
  const normed = tape.apply(rmsNorm, { x, weight: weights.get('scale') }, { eps: 1e-5 }).y;
  return matmulBranch(tape, weights, normed);
};

/** Checks the gradients against the CPU; returns how often tfjs's addition ran on WebGPU. */
async function additionsOf(branch: Branch): Promise<number> {
  await startBackend('cpu');
  const expected = await gradientsOf(branch);
  await startBackend('webgpu');
  const actual = await gradientsOf(branch);
  for (const { name } of specs) {
    expectClose(
      actual.values.get(name) ?? [],
      expected.values.get(name) ?? [],
      { atol: 1e-5, rtol: 1e-4 },
      name,
    );
  }
  return actual.kernels.filter((kernel) => kernel === 'BinaryOpProgram').length;
}

describe('the second gradient of an activation', () => {
  it('is added to a new tensor if its kernel would read the buffer that it writes', async () => {
    // The matmul's dy and the pending gradient of x are clones of one gradient. One addition is the
    // forward sum, the other adds the gradients.
    expect(await additionsOf(matmulBranch)).toBe(2);
  });

  it('is added in place otherwise', async () => {
    expect(await additionsOf(normAndMatmul)).toBe(1);
  });
});
