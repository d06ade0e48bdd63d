/** The tfjs ops that run on the engine on the processor, against tfjs's plain JavaScript backend. */
import * as tf from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { expectClose } from '../testing/expect_close.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { compileProgram, readback, startBackend, submit, tensorCount } from './index.ts';

const wave = (...shape: number[]): tf.Tensor => {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, (_, i) => 3 * Math.sin(1.7 * i * i + i + 1));
  return tf.tensor(values, shape);
};
const ints = (...shape: number[]): tf.Tensor => tf.cast(tf.mul(wave(...shape), 3), 'int32');

/** Values of the ops that Muon, plain optimizers and losses use, at sizes that are not round. */
const OPS: Record<string, () => tf.Tensor> = {
  'arithmetic with a scalar on either side': () =>
    tf.concat([tf.add(wave(7), 2), tf.sub(1, wave(7)), tf.mul(wave(7), -3), tf.div(2, wave(7))]),
  'arithmetic of equal shapes': () => tf.div(tf.sub(wave(5, 9), 4), tf.add(wave(5, 9), 5)),
  'rows and columns that are broadcast': () =>
    tf.add(tf.mul(wave(5, 9), wave(9)), tf.sub(wave(5, 1), wave(1, 9))),
  'more values than one chunk': () => tf.mul(wave(3, 9001), wave(3, 1)),
  'maximum and minimum': () => tf.maximum(tf.minimum(wave(70), 1), -0.5),
  'operations of one tensor': () =>
    tf.stack([
      ...[tf.neg(wave(11)), tf.square(wave(11)), tf.exp(wave(11)), tf.sigmoid(wave(11))],
      ...[tf.sqrt(tf.square(wave(11))), tf.rsqrt(tf.add(wave(11), 4)), tf.step(wave(11))],
    ]),
  'operations of a NaN': () => {
    const x = tf.tensor1d([1, NaN, 2, 3, NaN]);
    return tf.stack([tf.exp(x), tf.sigmoid(x), tf.square(x), tf.sqrt(x), tf.neg(x)]);
  },
  'integers and their types': () =>
    tf.add(tf.cast(tf.maximum(ints(13), 2), 'float32'), tf.cast(ints(13), 'float32')),
  'comparisons and choices': () =>
    tf.where(tf.greater(wave(4, 6), 0.5), wave(4, 6), tf.zerosLike(wave(4, 6))),
  'a choice by one value': () => tf.where(tf.equal(tf.scalar(2), 2), wave(9), tf.onesLike(wave(9))),
  'sums of all values and of the last axes': () =>
    tf.concat([
      ...[tf.reshape(tf.sum(wave(20_003)), [1]), tf.sum(wave(5, 7), 1)],
      ...[tf.sum(wave(2, 3, 5), [1, 2]), tf.reshape(tf.sum(wave(3, 5), 1, true), [3])],
    ]),
  transposes: () => tf.transpose(wave(37, 21)),
  'slices and what they are joined to': () =>
    tf.concat([tf.slice(wave(6, 10), [0, 3], [6, 4]), tf.slice(wave(8, 2), [1, 0], [6, 2])], 1),
  'stacks along another axis': () => tf.stack([wave(4, 3), tf.neg(wave(4, 3))], 1),
  'gathered rows': () => tf.gather(wave(5, 6), tf.tensor1d([4, 0, 4], 'int32')),
  'filled tensors': () =>
    tf.add(tf.fill([3, 5], 0.25), tf.cast(tf.fill([5], 7, 'int32'), 'float32')),
};

const titles = Object.keys(OPS);
const make = (title: string): tf.Tensor => OPS[title]?.() ?? tf.scalar(NaN);
const expected = new Map<string, { shape: number[]; values: ArrayLike<number> }>();

beforeAll(async () => {
  await startBackend('cpu');
  for (const title of titles) {
    const { shape, values } = tf.tidy(() => {
      const result = make(title);
      return { shape: result.shape, values: result.dataSync() };
    });
    expected.set(title, { shape, values });
  }
  await useBuildsFromFiles();
  await startBackend('wasm');
});

describe('tfjs ops on the processor', () => {
  it.each(titles)('equal those in plain JavaScript, replayed and op by op: %s', async (title) => {
    const before = tensorCount();
    const now = tf.tidy(() => make(title));
    const [opByOp = []] = await readback([now]);
    expect(now.shape).toEqual(expected.get(title)?.shape);
    now.dispose();
    const program = await compileProgram(title, () => ({ result: make(title) }));
    submit([program]);
    const [replayed = []] = await readback([program.outputs.result]);
    program.dispose();
    expect(replayed).toEqual(opByOp);
    const wanted = expected.get(title)?.values ?? [];
    expectClose(replayed, wanted, { atol: 1e-5, rtol: 1e-5 }, title);
    expect(tensorCount()).toBe(before);
  });

  it('names an op that it lacks, and shapes that it does not support', () => {
    expect(() => tf.tidy(() => tf.cumsum(wave(4)))).toThrow("'Cumsum'");
    expect(() => tf.tidy(() => tf.transpose(wave(2, 3, 4)))).toThrow('Transpose on the processor');
    expect(() => tf.tidy(() => tf.add(wave(2, 3, 2), wave(3, 1)))).toThrow('Add on the processor');
  });
});
