/** Losses and gradients over pairs against PyTorch in float64, in Node. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { startTested } from '../testing/start_once.ts';
import { expectGolden, GOLDEN_CASES, TIGHT } from './testing_golden_cases.ts';

describe.each(['cpu', 'processor'] as const)('on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'processor') await useBuildsFromFiles();
    await startTested(backend);
  });

  it.each(GOLDEN_CASES)("$title has PyTorch's loss and gradients", async ({ file, one, title }) => {
    const share = await expectGolden(file, one);
    console.log(`${title} on ${backend}: largest share of a tolerance ${share.toFixed(3)}`);
    expect(share).toBeLessThanOrEqual(1);
  });

  it.each(GOLDEN_CASES)(
    '$title is the same padded, in another order and accumulated',
    async ({ file, one }) => {
      await expectGolden(file, one, { ...TIGHT, row_length: 12 });
      await expectGolden(file, one, { ...TIGHT, reversed: true });
      await expectGolden(file, one, { row_length: 11, batch_size: 2, reversed: true });
    },
  );
});
