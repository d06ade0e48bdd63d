/** Tensors stored as float16: every operation that reads them, and packing and unpacking. */
import { dispose, square, tensor } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { convert, readback, startBackend, storageOf, tensorCount } from '../backend/index.ts';
import { checkFloat16, roundToFloat16 } from '../testing/check_float16.ts';
import './alignment.ts';
import './parallel.ts';
import { allOps } from './index.ts';

const gpuErrors: string[] = [];
beforeAll(async () => {
  await startBackend('webgpu', {
    lost: (reason) => gpuErrors.push(reason),
    error: (message) => gpuErrors.push(message),
  });
});

const float16Ops = allOps().filter((op) => op.visit((record) => record.float16 !== undefined));

it.each(float16Ops.map((op) => [op.name, op] as const))('%s', async (_name, op) => {
  const before = tensorCount();
  const tally = await checkFloat16(op);
  expect([...tally.failures, ...gpuErrors.splice(0)]).toEqual([]);
  expect(tally.compared).toBeGreaterThan(0);
  expect(tensorCount()).toBe(before);
});

/** The other operations on weights have the same kernels, or are gradients of weights that train. */
const WEIGHT_OPS = [
  ...['linear', 'linear_bias_add', 'mlp', 'mlp_hidden_grad', 'matmul', 'embedding'],
  ...['position_embedding', 'head_cross_entropy', 'head_cross_entropy_grad_x'],
];
const weightOps = float16Ops.filter(({ name }) => WEIGHT_OPS.includes(name));

describe('weights stored as float16, and all else as float32', () => {
  it.each(weightOps.map((op) => [op.name, op] as const))('%s', async (_name, op) => {
    const before = tensorCount();
    const tally = await checkFloat16(op, 'weights');
    expect([...tally.failures, ...gpuErrors.splice(0)]).toEqual([]);
    expect(tally.compared).toBeGreaterThan(0);
    expect(tensorCount()).toBe(before);
  });
});

describe('packing', () => {
  const values = [0, 1, -1, 1 / 3, -2 / 3, 65504, -65504, 2 ** -14, 1e-5, 3.14159, 1234.5678, 2049];

  it('rounds to the nearest float16 value and converts back', async () => {
    const unpacked = tensor(Float32Array.from(values), [3, 4]);
    const packed = convert(unpacked, 'float16');
    const back = convert(packed, 'float32');
    const [read, again] = await readback([packed, back]);
    expect([...(read ?? [])]).toEqual(values.map(roundToFloat16));
    expect([...(again ?? [])]).toEqual(values.map(roundToFloat16));
    expect([storageOf(unpacked), storageOf(packed), storageOf(packed.clone())]).toEqual([
      'float32',
      'float16',
      'float16',
    ]);
    dispose([unpacked, packed, back]);
  });

  it('turns values out of range into NaN', async () => {
    const unpacked = tensor(
      Float32Array.from([65505, -1e6, Infinity, NaN, 7, NaN, NaN, 7]),
      [2, 4],
    );
    const packed = convert(unpacked, 'float16');
    expect([...((await readback([packed]))[0] ?? [])]).toEqual([
      NaN,
      NaN,
      NaN,
      NaN,
      7,
      NaN,
      NaN,
      7,
    ]);
    dispose([unpacked, packed]);
  });

  it('is rejected by the kernels of tfjs', () => {
    const unpacked = tensor(new Float32Array(8), [2, 4]);
    const packed = convert(unpacked, 'float16');
    expect(() => square(packed)).toThrow(/stored as float16/);
    dispose([unpacked, packed]);
  });
});
