/** The calibration on a backend that runs op by op. */
import { beforeAll, expect, it } from 'vitest';
import { tryBackends } from '../backend/index.ts';
import { calibrate } from './calibrate.ts';

beforeAll(async () => {
  await tryBackends('wasm', { lost: () => undefined, error: () => undefined });
});

it('times training steps on wasm: a larger step costs more than the fixed cost', async () => {
  const measured = await calibrate();
  expect(measured?.step_overhead_ms).toBeGreaterThan(0);
  expect(measured?.step_overhead_ms).toBeLessThan(2000);
  // One core of any processor of this century, under any load.
  expect(measured?.flops_per_second).toBeGreaterThan(1e6);
  expect(measured?.flops_per_second).toBeLessThan(1e12);
});

it('gives way when a run waits', async () => {
  expect(await calibrate(() => true)).toBeNull();
});
