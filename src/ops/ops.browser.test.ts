/**
 * Checks every operation on every backend in a real browser. `-t "webgpu attention"` selects a
 * backend and operations. `wasm` is tfjs's own backend, `processor` our engine. Prints the
 * comparisons that were skipped.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkOp } from '../testing/check_op.ts';
import { startTested } from '../testing/start_once.ts';
import './alignment.ts';
import './parallel.ts';
import './generation.ts';
import { allOps } from './index.ts';

const skipped: string[] = [];
let compared = 0;

describe.each(['cpu', 'wasm', 'processor', 'webgl', 'webgpu'] as const)('%s', (backend) => {
  const gpuErrors: string[] = [];
  beforeAll(async () => {
    await startTested(backend, {
      lost: (reason) => gpuErrors.push(`device lost: ${reason}`),
      error: (message) => gpuErrors.push(message),
    });
  });

  test.each(allOps().map((op) => [op.name, op] as const))('%s', async (_name, op) => {
    const tally = await checkOp(op, backend);
    compared += tally.compared;
    skipped.push(...tally.skipped);
    expect([...tally.failures, ...gpuErrors.splice(0)]).toEqual([]);
    expect(tally.compared).toBeGreaterThan(0);
  });
});

afterAll(() => {
  const list = skipped.map((reason) => `\n  skipped: ${reason}`).join('');
  console.log(`Operations: ${compared} comparisons, ${skipped.length} skipped.${list}`);
});
