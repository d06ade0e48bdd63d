import { tensor1d, tensor2d } from '@tensorflow/tfjs-core';
import { beforeAll, expect, test } from 'vitest';
import { readback, startBackend } from '../../backend/index.ts';
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import { crossEntropy, crossEntropyGrad, run } from '../index.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const columns = 3000;

/** A row of zeros with these values at these columns. */
function rowWith(values: Record<number, number>): Float32Array {
  const row = new Float32Array(columns);
  for (const [column, value] of Object.entries(values)) row[Number(column)] = value;
  return row;
}

async function forward(row: Float32Array, target: number) {
  const logits = tensor2d(row, [1, columns]);
  const out = run(crossEntropy, { logits, targets: tensor1d([target], 'int32') }, {});
  const read = await readback([out.loss, out.lse, out.correct]);
  const [loss = NaN, lse = NaN, correct = NaN] = read.map((values) => values[0]);
  return { loss, lse, correct };
}

test.each([
  ['NaN in the first block', { 7: NaN }],
  ['NaN in the last values', { 2999: NaN }],
  ['infinity', { 1500: Infinity }],
])('does not hide a logit that is %s', async (_name, values) => {
  const { loss, lse } = await forward(rowWith(values), 3);
  expect([loss, lse]).toEqual([NaN, NaN]);
});

test('finds the first of equal largest logits in whichever block it is', async () => {
  const row = rowWith({ 1: -5, 1203: 2, 2050: 9, 2051: 9, 2999: 9 });
  expect((await forward(row, 2050)).correct).toBe(1);
  expect((await forward(row, 2051)).correct).toBe(0);
  expect((await forward(row, 2999)).correct).toBe(0);
});

test('adds up exponentials across blocks whose largest logits grow and shrink', async () => {
  const values = { 0: 3, 1100: 60, 2200: 61, 2900: -80 };
  const row = rowWith(values);
  const sum = row.reduce((total, logit) => total + Math.exp(logit - 61), 0);
  const { loss, lse } = await forward(row, 1100);
  expect(lse).toBeCloseTo(61 + Math.log(sum), 5);
  expect(loss).toBeCloseTo(1 + Math.log(sum), 5);
});

test('gives rows without weight a gradient of zero, and no gradient a denormal number', async () => {
  const logits = tensor2d([NaN, 1, 2, -90, 0, 5], [2, 3]);
  const targets = tensor1d([0, 2], 'int32');
  const lse = tensor1d([NaN, 5.0067]);
  const dloss = tensor1d([0, 1e-3]);
  const { dlogits } = run(crossEntropyGrad, { logits, targets, lse, dloss }, {});
  const [values = new Float32Array()] = await readback([dlogits]);
  expect([...values.slice(0, 4)]).toEqual([0, 0, 0, 0]);
  expect(values[4]).toBeCloseTo(1e-3 * Math.exp(-5.0067), 8);
  expect(values[5]).toBeCloseTo(1e-3 * (Math.exp(-0.0067) - 1), 8);
});
