/**
 * Matmuls on the processor whose sizes the cases of the operations do not reach: several blocks of
 * K, several slabs, tiles at every kind of edge. Every tensor lies between NaNs, which a read
 * outside of it would bring into the result, and which a write outside of it would change.
 */
import { type Tensor, tensor1d } from '@tensorflow/tfjs-core';
import { beforeAll, describe, expect, it } from 'vitest';
import { readback, startBackend, viewOf } from '../../backend/index.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import { type Activation, exactGelu, gelu, relu2, silu } from '../activation/functions.ts';
import { columnSumsProcessor, matmulProcessor, type ProcessorMatmulOptions } from './processor.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

/** Views begin at multiples of 256 bytes. */
const GUARD = 64;

interface Guarded {
  whole: Tensor;
  view: Tensor;
  values: Float32Array;
}

let seed = 1;

/** Random values between guards. */
function guarded(...shape: number[]): Guarded {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = Float32Array.from({ length: size }, () => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return seed / 2 ** 31 - 1;
  });
  const all = new Float32Array(size + 2 * GUARD).fill(NaN);
  all.set(values, GUARD);
  const whole = tensor1d(all);
  return { whole, view: viewOf(whole, shape, GUARD), values };
}

/** The values between the guards, which must be untouched. */
async function readGuarded({ whole }: Guarded): Promise<Float32Array> {
  const [all] = await readback([whole]);
  if (!(all instanceof Float32Array)) throw new Error('Expected float32 values.');
  const guards = [...all.subarray(0, GUARD), ...all.subarray(all.length - GUARD)];
  expect(guards.every(Number.isNaN)).toBe(true);
  return all.subarray(GUARD, all.length - GUARD);
}

interface Operands {
  a: Guarded;
  b: Guarded;
  form: Form;
  size: readonly [M: number, N: number, K: number];
}
type Form = 'nn' | 'nt' | 'tn' | 'tt';

function makeOperands(form: Form, [M, N, K]: Operands['size']): Operands {
  const a = form.startsWith('t') ? guarded(K, M) : guarded(M, K);
  const b = form.endsWith('t') ? guarded(N, K) : guarded(K, N);
  return { a, b, form, size: [M, N, K] };
}

/** op(A) op(B) in float64. */
function product({ a, b, form, size: [M, N, K] }: Operands): Float64Array {
  const [rowOfA, stepOfA] = form.startsWith('t') ? [1, M] : [K, 1];
  const [columnOfB, stepOfB] = form.endsWith('t') ? [K, 1] : [1, N];
  const c = new Float64Array(M * N);
  for (let i = 0; i < M; i++)
    for (let j = 0; j < N; j++) {
      let sum = 0;
      for (let k = 0; k < K; k++)
        sum +=
          (a.values[i * rowOfA + k * stepOfA] ?? NaN) *
          (b.values[j * columnOfB + k * stepOfB] ?? NaN);
      c[i * N + j] = sum;
    }
  return c;
}

const multiply = ({ a, b, form }: Operands, options: ProcessorMatmulOptions): Tensor =>
  matmulProcessor(a.view, b.view, {
    ...options,
    transpose_a: form.startsWith('t'),
    transpose_b: form.endsWith('t'),
  });

/** Sums of K products of values below 1 in float32. */
const toleranceOf = ([, , K]: Operands['size']) => ({
  atol: 1e-6 * Math.sqrt(K) + 1e-6,
  rtol: 1e-5,
});

const FORMS: Form[] = ['nn', 'nt', 'tn', 'tt'];
const SIZES: { what: string; size: Operands['size'] }[] = [
  { what: 'one row', size: [1, 301, 77] },
  { what: 'one row, a long sum', size: [1, 67, 3000] },
  { what: 'three rows', size: [3, 50, 21] },
  { what: 'five rows', size: [5, 61, 70] },
  { what: 'one tile', size: [6, 8, 3] },
  { what: 'part of a tile', size: [4, 3, 1] },
  { what: 'edges of all kinds', size: [41, 29, 23] },
  { what: 'edges in fours', size: [22, 28, 64] },
  { what: 'three blocks of K', size: [13, 21, 1100] },
  { what: 'three slabs of columns', size: [40, 1030, 9] },
  { what: 'two slabs of rows', size: [230, 1200, 6] },
];
const ALL = FORMS.flatMap((form) => SIZES.map(({ what, size }) => ({ form, what, size })));

describe.each(ALL)('$form, $what ($size)', ({ form, size }) => {
  const [M, N] = size;

  it('adds bias and residual', async () => {
    const operands = makeOperands(form, size);
    const bias = guarded(N);
    const residual = guarded(M, N);
    const c = guarded(M, N);
    multiply(operands, { to: c.view, bias: bias.view, residual: residual.view });
    const expected = product(operands).map(
      (sum, i) => sum + (bias.values[i % N] ?? NaN) + (residual.values[i] ?? NaN),
    );
    expectClose(await readGuarded(c), expected, toleranceOf(size));
  });

  it('adds to C', async () => {
    const operands = makeOperands(form, size);
    const c = guarded(M, N);
    multiply(operands, { into: c.view });
    const expected = product(operands).map((sum, i) => sum + (c.values[i] ?? NaN));
    expectClose(await readGuarded(c), expected, toleranceOf(size));
  });

  it('stores the value before and after an activation', async () => {
    const operands = makeOperands(form, size);
    const c = guarded(M, N);
    const activated = guarded(M, N);
    const f = activationFor(M + N);
    multiply(operands, { to: c.view, apply: { f, to: activated.view } });
    const before = await readGuarded(c);
    expectClose(before, product(operands), toleranceOf(size));
    expectClose(await readGuarded(activated), Float64Array.from(before, f.value), {
      atol: 1e-6,
      rtol: 1e-5,
    });
  });

  it('multiplies by a derivative', async () => {
    const operands = makeOperands(form, size);
    const c = guarded(M, N);
    const before = guarded(M, N);
    const f = activationFor(M + N);
    multiply(operands, { to: c.view, derivative: { f, before: before.view } });
    const expected = product(operands).map((sum, i) => sum * f.derivative(before.values[i] ?? NaN));
    const { atol, rtol } = toleranceOf(size);
    expectClose(await readGuarded(c), expected, { atol: 2 * atol, rtol });
  });
});

function activationFor(n: number): Activation {
  const functions = [gelu, relu2, silu, exactGelu];
  return functions[n % functions.length] ?? gelu;
}

it('sums over K in several passes over C', async () => {
  const size = [200, 512, 1100] as const;
  const operands = makeOperands('nn', size);
  const bias = guarded(size[1]);
  const c = guarded(size[0], size[1]);
  multiply(operands, { to: c.view, bias: bias.view });
  const expected = product(operands).map((sum, i) => sum + (bias.values[i % size[1]] ?? NaN));
  expectClose(await readGuarded(c), expected, toleranceOf(size));
});

it('refuses to add a product with an activation to a tensor', () => {
  const operands = makeOperands('nn', [2, 2, 2]);
  const c = guarded(2, 2);
  expect(() =>
    multiply(operands, { into: c.view, derivative: { f: gelu, before: c.view } }),
  ).toThrow('matmul: only a product with or without a bias can be added to a tensor.');
});

it.each([
  [300, 37],
  [129, 64],
  [1, 5],
])('sums the columns of %i rows of %i, and adds them', async (rows, columns) => {
  const b = guarded(rows, columns);
  const sums = guarded(columns);
  const expected = new Float64Array(columns);
  b.values.forEach((value, i) => (expected[i % columns] = (expected[i % columns] ?? NaN) + value));
  columnSumsProcessor(b.view, { to: sums.view, add: false });
  expectClose(await readGuarded(sums), expected, { atol: 1e-5, rtol: 1e-5 });
  columnSumsProcessor(b.view, { to: sums.view, add: true });
  const doubled = expected.map((sum) => 2 * sum);
  expectClose(await readGuarded(sums), doubled, { atol: 2e-5, rtol: 1e-5 });
});
