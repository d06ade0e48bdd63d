/**
 * Moments and parameters of the optimizers on the engine on the processor, when gradients stay zero
 * or are tiny.
 */
import { beforeAll, expect, it } from 'vitest';
import { readback, startBackend, Store, tensorCount } from '../../backend/index.ts';
import { useBuildsFromFiles } from '../../testing/node_engine.ts';
import { run } from '../define.ts';
import { adamUpdate } from './adam_update.ts';
import './processor.ts';
import { sgdUpdate } from './sgd_update.ts';
import { SCALARS, type UpdateAttrs } from './update.ts';

/** The smallest float32 that is not denormal. */
const LEAST_NORMAL = 2 ** -126;
/** No multiple of four. */
const N = 11;
const STEPS = 2000;
const attrs: UpdateAttrs = { max_norm: 0, weight_decay: 0, coupled: false, decayed: 0 };
const adam = { beta1: 0.9, beta2: 0.95, epsilon: 1e-12 };

function makeStore(gradient: number): Store {
  const flat = ['parameter', 'gradient', 'exp_avg', 'exp_avg_sq', 'momentum_buffer'];
  const store = new Store('update', [
    ...flat.map((name) => ({ name, shape: [N] })),
    ...['norm', 'inverse_scale'].map((name) => ({ name, shape: [] })),
    { name: 'scalars', shape: [SCALARS.length] },
  ]);
  for (const name of flat) store.write(name, new Float32Array(N).fill(1));
  store.write('gradient', new Float32Array(N).fill(gradient));
  store.write('inverse_scale', Float32Array.of(1));
  store.write('scalars', Float32Array.of(1e-3, 1e-3, 1, 1, 1));
  return store;
}

function updateOnce(store: Store, decay = attrs): void {
  const parameter = store.get('parameter');
  const gradient = store.get('gradient');
  const norm = store.get('norm');
  const inverse_scale = store.get('inverse_scale');
  const scalars = store.get('scalars');
  const shared = { parameter, gradient, norm, inverse_scale, scalars };
  const moments = { exp_avg: store.get('exp_avg'), exp_avg_sq: store.get('exp_avg_sq') };
  run(adamUpdate, { ...shared, ...moments }, { ...decay, ...adam });
  run(
    sgdUpdate,
    { ...shared, momentum_buffer: store.get('momentum_buffer') },
    { ...decay, momentum: 0.9 },
  );
}

const momentsOf = async (store: Store): Promise<number[]> => {
  const names = ['exp_avg', 'exp_avg_sq', 'momentum_buffer'];
  const values = await readback(names.map((name) => store.get(name)));
  return values.flatMap((one) => [...one]);
};

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

it('decay to zero without passing through denormals', async () => {
  const before = tensorCount();
  const store = makeStore(0);
  const denormals: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    updateOnce(store);
    if (step % 10 > 0) continue;
    const moments = await momentsOf(store);
    denormals.push(...moments.filter((m) => m !== 0 && Math.abs(m) < LEAST_NORMAL));
  }
  expect(denormals).toEqual([]);
  expect(new Set(await momentsOf(store))).toEqual(new Set([0]));
  store.dispose();
  expect(tensorCount()).toBe(before);
});

it.each([1e-18, 1e-22, 1e-38])('have no denormals when the gradient is %d', async (gradient) => {
  const store = makeStore(0);
  for (const name of ['exp_avg', 'exp_avg_sq', 'momentum_buffer'])
    store.write(name, new Float32Array(N));
  for (let step = 0; step < 5; step++) {
    store.write('gradient', new Float32Array(N).fill(gradient));
    updateOnce(store);
    const moments = await momentsOf(store);
    expect(moments.filter((m) => m !== 0 && Math.abs(m) < LEAST_NORMAL)).toEqual([]);
  }
  const [parameter = []] = await readback([store.get('parameter')]);
  expect([...parameter].every(Number.isFinite)).toBe(true);
  store.dispose();
});

it('are not the only ones: parameters that only decay become zero as well', async () => {
  const store = makeStore(0);
  for (const name of ['exp_avg', 'exp_avg_sq', 'momentum_buffer'])
    store.write(name, new Float32Array(N));
  store.write('scalars', Float32Array.of(0.1, 0.1, 1, 1, 1));
  let least = 1;
  for (let step = 0; step < STEPS; step++) {
    updateOnce(store, { ...attrs, weight_decay: 1, decayed: N - 1 });
    const [parameter = []] = await readback([store.get('parameter')]);
    for (const value of parameter) if (value !== 0) least = Math.min(least, Math.abs(value));
  }
  const [parameter = []] = await readback([store.get('parameter')]);
  expect([...parameter]).toEqual([...new Array<number>(N - 1).fill(0), 1]);
  expect(least).toBeGreaterThan(LEAST_NORMAL);
  store.dispose();
});
