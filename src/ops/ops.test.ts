/**
 * Quick check of every operation on tfjs's plain JavaScript backend, without a browser.
 * `ops.browser.test.ts` checks the other backends.
 */
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { checkOp } from '../testing/check_op.ts';
import './alignment.ts';
import './generation.ts';
import { allOps } from './index.ts';

beforeAll(async () => {
  await startBackend('cpu');
});

test.each(allOps().map((op) => [op.name, op] as const))('%s', async (_name, op) => {
  const tally = await checkOp(op, 'cpu');
  expect(tally.failures).toEqual([]);
  expect(tally.compared).toBeGreaterThan(0);
});
