/** The FLOPs of the plan against those of the operations that a training step consists of. */
import { beforeAll, expect, test } from 'vitest';
import { startBackend } from '../backend/index.ts';
import { type ModelConfig, resolveModel } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { patternSplit, smallConfig, VOCAB } from '../parallel/testing_ranks.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { Trainer } from '../train/index.ts';
import { productFlops } from '../worker/profile.ts';
import { flopsPerToken } from './flops.ts';

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const LLAMA: Partial<ModelConfig> = {
  layout: 'llama',
  n_kv_head: 2,
  n_inner: 88,
  activation_function: 'silu',
  bias: false,
  qk_norm: true,
  tie_word_embeddings: false,
};

test.each<[string, Partial<ModelConfig>]>([
  ['gpt2', {}],
  ['gpt2, wide', { n_layer: 3, n_embd: 64, block_size: 16 }],
  ['llama', LLAMA],
])('a step has as many FLOPs as planned (%s)', async (name, model) => {
  const config = smallConfig({ model });
  const split = patternSplit();
  const trainer = await Trainer.create({ config, objective: pretrain, split, vocab_size: VOCAB });
  const kernels = trainer.programs[0]?.kernels ?? [];
  trainer.dispose();
  const products = kernels.reduce((sum, kernel) => sum + productFlops(kernel), 0);
  const resolved = resolveModel(config.model, VOCAB);
  const { n_layer, n_head, head_dim, block_size } = resolved;
  const rows = config.training.batch_size;
  // Scores and weighted sums are two products of [T, head_dim] and [T, T] a head, four in reverse.
  const product = 2 * rows * n_head * head_dim * block_size ** 2;
  const forward = kernels.filter((kernel) => kernel === 'attention').length;
  const backward = kernels.filter((kernel) => kernel === 'attention_grad').length;
  const counted = products + product * (2 * forward + 4 * backward);
  const planned = flopsPerToken(resolved) * rows * block_size;
  console.log(`${name}: planned ${planned}, counted ${counted}`);
  expect([forward, backward]).toEqual([n_layer, n_layer]);
  expect(Math.abs(counted - planned) / planned).toBeLessThan(0.01);
});
