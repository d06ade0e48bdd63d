/**
 * Quick check of every operation on tfjs's plain JavaScript backend and on the engine on the
 * processor, without a browser. `ops.browser.test.ts` checks the other backends.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { checkOp } from '../testing/check_op.ts';
import { startEngine, useBuildsFromFiles } from '../testing/node_engine.ts';
import { startTested } from '../testing/start_once.ts';
import './alignment.ts';
import './parallel.ts';
import './generation.ts';
import { allOps } from './index.ts';

test('every operation has an implementation on the processor', async () => {
  await startEngine();
  const without = allOps().filter((op) => op.visit(({ processor }) => processor === undefined));
  expect(without.map(({ name }) => name)).toEqual([]);
});

describe.each(['cpu', 'processor'] as const)('%s', (backend) => {
  beforeAll(async () => {
    if (backend === 'processor') await useBuildsFromFiles();
    await startTested(backend);
  });

  test.each(allOps().map((op) => [op.name, op] as const))('%s', async (_name, op) => {
    const tally = await checkOp(op, backend);
    expect(tally.failures).toEqual([]);
    expect(tally.compared).toBeGreaterThan(0);
  });
});
