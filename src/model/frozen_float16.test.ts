import { expect, it } from 'vitest';
import { beyondFloat16, fitsFloat16, Float16Storage } from './frozen_float16.ts';
import type { Parameter } from './index.ts';

const parameter = (name: string, shape: number[], kind: Parameter['kind']): Parameter => ({
  name,
  shape,
  kind,
  init: { kind: 'constant', value: 0 },
  decay: true,
  parts: [],
});
const matrix = parameter('matrix', [2, 4], 'matrix');
const bias = parameter('bias', [4], 'bias');

it('takes matrices, embeddings and heads in rows of four values, and leaves norms and biases', () => {
  expect(fitsFloat16(matrix)).toBe(true);
  expect(fitsFloat16(parameter('wte', [3, 8], 'embedding'))).toBe(true);
  expect(fitsFloat16(parameter('score', [8, 1], 'head'))).toBe(false);
  expect(fitsFloat16(bias)).toBe(false);
  expect(fitsFloat16(parameter('norm', [8], 'norm'))).toBe(false);
});

it.each([
  ['bfloat16 numbers', [1, -0.5, 1.5 * 2 ** -30, 3, 0, -0, 2 ** 10, 65280]],
  ['float32 numbers', [1 / 3, -0.1, 1e-20, 3, 0, -0, 1e4, 65504]],
])('gives back what was written, bit for bit: %s', (_name, numbers) => {
  const values = Float32Array.from(numbers);
  const storage = new Float16Storage({ keeps_originals: true });
  expect(storage.specOf(matrix)).toMatchObject({ name: 'matrix', storage: 'float16' });
  expect(storage.specOf(bias)).toBe(bias);
  storage.keep('matrix', values);
  storage.keep('bias', values);
  const kept = values.slice();
  values.fill(7);
  expect(storage.original('matrix')).toEqual(kept);
  expect(storage.original('bias')).toBeUndefined();
});

it('takes two bytes a value of bfloat16 numbers, and none without originals', () => {
  const storage = new Float16Storage({ keeps_originals: true });
  storage.specOf(matrix);
  storage.keep(
    'matrix',
    Float32Array.from({ length: 8 }, (_, i) => i),
  );
  expect(storage.bytes).toBe(16);
  const without = new Float16Storage({ keeps_originals: false });
  without.specOf(matrix);
  without.keep('matrix', new Float32Array(8));
  expect(without.bytes).toBe(0);
  expect(without.original('matrix')).toBeUndefined();
});

it('finds a value that float16 cannot hold', () => {
  const values = new Map([
    ['matrix', Float32Array.of(1, 65504, -65504, 0)],
    ['bias', Float32Array.of(1e9)],
  ]);
  const find = () => beyondFloat16([matrix, bias], (name) => values.get(name));
  expect(find()).toBeNull();
  values.set('matrix', Float32Array.of(1, -1e5));
  expect(find()).toEqual({ name: 'matrix', value: -1e5 });
  values.set('matrix', Float32Array.of(NaN));
  expect(find()).toEqual({ name: 'matrix', value: NaN });
});
