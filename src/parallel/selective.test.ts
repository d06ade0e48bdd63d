/** Selective recomputation on several ranks of the engine in Node, bit for bit. Dropout is on. */
import { beforeAll, test } from 'vitest';
import { startEngine } from '../testing/node_engine.ts';
import { expectSameBits, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(startEngine);

const STEPS = 2;
const QWEN3 = {
  ...{ layout: 'llama', activation_function: 'silu', bias: false },
  ...{ n_kv_head: 2, head_dim: 16, qk_norm: true },
} as const;
const SELECTIVE = { activation_checkpointing: true, recompute_granularity: 'selective' } as const;

test.each([
  { dp: 2, zero_stage: 2 },
  { tp: 2, dp: 2, zero_stage: 3 },
  { pp: 2, tp: 2 },
] as const)('trains with the same bits as without recomputation on the mesh %o', async (mesh) => {
  for (const model of [QWEN3, {}]) {
    const kept = smallConfig({ model: { ...model, tie_word_embeddings: !('pp' in mesh) } });
    const recomputed = { ...kept, training: { ...kept.training, ...SELECTIVE } };
    const run = { steps: STEPS, mesh };
    expectSameBits(
      await trainRanks({ ...run, config: kept }),
      await trainRanks({ ...run, config: recomputed }),
    );
  }
});
