/**
 * Two gradients of one activation: added in place only where nothing else reads the buffer of the
 * one that waits.
 */
import { dispose, ones, tensor, type Tensor } from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';
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
import { Gradients, Tape } from './index.ts';

const N = 5;
const D = 8;
const values = (n: number, at: number): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin(at + 1.7 * i));
const specs = [
  { name: 'first', shape: [D, D] },
  { name: 'second', shape: [D, D] },
  { name: 'scale', shape: [D] },
  { name: 'last', shape: [D, D] },
];

/** Gradients of sum((x + branch(x)) W3), x = input W1, and the names of the dispatches. */
async function gradients(
  branch: (tape: Tape, weights: Store, x: Tensor) => Tensor,
): Promise<{ values: Map<string, Values>; kernels: readonly string[] }> {
  const weights = new Store('weights', specs);
  const sink = new Gradients(new Store('gradients', specs), weights);
  const input = tensor(values(N * D, 0), [N, D]);
  const seed = ones([N, D]);
  specs.forEach((s, i) =>
    weights.write(
      s.name,
      values(
        s.shape.reduce((a, b) => a * b, 1),
        i + 1,
      ),
    ),
  );
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
  for (const s of [weights, sink.store]) s.dispose();
  dispose([input, seed]);
  return result;
}

it.each([
  // The product's dy and what waits for x are clones of one gradient: its kernel would read what it
  // writes.
  [
    'a product, whose dy shares the buffer that waits',
    true,
    (tape: Tape, weights: Store, x: Tensor) =>
      tape.apply(linear, { x, weight: weights.get('second') }, {}).y,
  ],
  [
    'a norm behind a product',
    false,
    (tape: Tape, weights: Store, x: Tensor) =>
      tape.apply(
        linear,
        {
          x: tape.apply(rmsNorm, { x, weight: weights.get('scale') }, { eps: 1e-5 }).y,
          weight: weights.get('second'),
        },
        {},
      ).y,
  ],
])('%s', async (_, apart, branch) => {
  await startBackend('cpu');
  const expected = await gradients(branch);
  await startBackend('webgpu');
  const got = await gradients(branch);
  for (const { name } of specs)
    expectClose(
      got.values.get(name) ?? [],
      expected.values.get(name) ?? [],
      { atol: 1e-5, rtol: 1e-4 },
      name,
    );
  // tfjs's addition runs once for the sum itself, and once more where the gradients are added to a
  // new tensor.
  expect(got.kernels.filter((k) => k === 'BinaryOpProgram').length).toBe(apart ? 2 : 1);
});
