/** Losses and gradients over pairs against PyTorch in float64, in the browser. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startTested } from '../testing/start_once.ts';
import { expectGolden, GOLDEN_CASES } from './testing_golden_cases.ts';

describe.each(['wasm', 'webgl', 'webgpu'] as const)('on %s', (backend) => {
  beforeAll(() => startTested(backend));

  it.each(GOLDEN_CASES)("$title has PyTorch's loss and gradients", async ({ file, one, title }) => {
    const share = await expectGolden(file, one);
    console.log(`${title} on ${backend}: largest share of a tolerance ${share.toFixed(3)}`);
    expect(share).toBeLessThanOrEqual(1);
  });
});
