/** Losses, gradients and metrics of PPO and GRPO against PyTorch in float64, in Node. */
import { beforeAll, describe, expect, it } from 'vitest';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { startTested } from '../testing/start_once.ts';
import { expectRlGolden, RL_CASES, RL_TIGHT } from './testing_golden_rl_cases.ts';

describe.each(['cpu', 'processor'] as const)('on %s', (backend) => {
  beforeAll(async () => {
    if (backend === 'processor') await useBuildsFromFiles();
    await startTested(backend);
  });

  it.each(RL_CASES)("$name has PyTorch's loss, metrics and gradients", async (one) => {
    const share = await expectRlGolden(one, RL_TIGHT);
    console.log(`${one.name} on ${backend}: largest share of a tolerance ${share.toFixed(3)}`);
    expect(share).toBeLessThanOrEqual(1);
  });

  it.each(RL_CASES)('$name is the same in longer rows and accumulated', async (one) => {
    await expectRlGolden(one, { padding: 3, micro_batches: 1 });
    // The mean over micro-batches of means over their tokens depends on how they are divided.
    const dependsOnDivision = one.stage.grpo?.loss_type === 'bnpo';
    if (!dependsOnDivision) await expectRlGolden(one, { padding: 0, micro_batches: 3 });
  });
});
