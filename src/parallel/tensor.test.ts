/** Tensor parallelism against one rank, on the engine in Node. */
import { beforeAll, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { expectWithin, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const STEPS = 50;

for (const dropout of [0, 0.1])
  for (const [name, model] of Object.entries({
    nobias: { bias: false },
    gpt2: { bias: true },
    llama: { layout: 'llama', n_kv_head: 2, qk_norm: true, tie_word_embeddings: true },
    untied: { layout: 'llama', n_kv_head: 4, tie_word_embeddings: false },
  } as const))
    test(
      name + dropout,
      async () => {
        const config = smallConfig({ model: { ...model, dropout }, training: { grad_clip: 0.5 } });
        const one = await trainRanks({ config, steps: STEPS });
        for (const tp of name === 'llama' ? [2] : [2, 4]) {
          const many = await trainRanks({ config, steps: STEPS, mesh: { tp } });
          expectWithin(1e-5, one, many, `tp ${tp}`);
        }
      },
      60000,
    );
