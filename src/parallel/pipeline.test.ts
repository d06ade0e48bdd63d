/** Pipelines against one rank, on the engine in Node. */
import { beforeAll, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { expectSameBits, smallConfig, trainRanks } from './testing_ranks.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const config = smallConfig({
  model: { n_layer: 4, tie_word_embeddings: false },
  training: { gradient_accumulation_steps: 4, grad_clip: 0.5, batch_size: 2 },
});

test('two stages', async () => {
  const one = await trainRanks({ config, steps: 20 });
  console.log(one.losses.at(0), one.losses.at(-1), one.norms);
  expectSameBits(one, await trainRanks({ config, steps: 20, mesh: { pp: 2 } }));
  expectSameBits(one, await trainRanks({ config, steps: 20, mesh: { pp: 4 } }));
});
