/** Losses, gradients and metrics of PPO and GRPO against PyTorch in float64, in the browser. */
import { beforeAll, describe, expect, it } from 'vitest';
import { startTested } from '../testing/start_once.ts';
import { expectRlGolden, RL_CASES, RL_TIGHT } from './testing_golden_rl_cases.ts';

/** One case of each objective on WebGL, whose kernels are tfjs's. */
const FEW = new Set(['grpo, batch, beta', 'ppo, k3, whitened']);

describe.each([
  ['webgpu', RL_CASES],
  ['webgl', RL_CASES.filter(({ name }) => FEW.has(name))],
] as const)('on %s', (backend, cases) => {
  beforeAll(() => startTested(backend));

  it.each(cases)("$name has PyTorch's loss, metrics and gradients", async (one) => {
    const share = await expectRlGolden(one, RL_TIGHT);
    console.log(`${one.name} on ${backend}: largest share of a tolerance ${share.toFixed(3)}`);
    expect(share).toBeLessThanOrEqual(1);
  });
});
