/** Stock TensorFlow.js, by its own gradients and optimizers, has the losses of this page. */
import { describe, expect, it } from 'vitest';
import { defaultConfig, type RunConfig } from '../../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../../data/index.ts';
import { pretrain } from '../../objectives/index.ts';
import { expectClose } from '../../testing/expect_close.ts';
import { startTested } from '../../testing/start_once.ts';
import { Trainer } from '../../train/index.ts';
import { stockRow } from './compare.ts';
import { startStock } from './start.ts';

const STEPS = 5;
type Change = { model?: Partial<RunConfig['model']>; training?: Partial<RunConfig['training']> };

const LLAMA: Change['model'] = {
  layout: 'llama',
  n_head: 4,
  n_kv_head: 2,
  activation_function: 'silu',
  bias: false,
  qk_norm: true,
  sliding_window: 5,
  tie_word_embeddings: false,
};
const RECIPES: Record<string, Change> = {
  'GPT-2 with AdamW, clipping and decay': {},
  'GPT-2 without biases, with SGD and momentum': {
    model: { bias: false, activation_function: 'relu2' },
    training: { optimizer: 'sgd', learning_rate: 0.1 },
  },
  'Llama with grouped queries, a window and two micro-batches': {
    model: LLAMA,
    training: { gradient_accumulation_steps: 2 },
  },
  'Llama with Adam': {
    model: { ...LLAMA, qk_norm: false, sliding_window: 0, activation_function: 'relu2' },
    training: { optimizer: 'adam' },
  },
};

/** A tiny model on names, at a rate at which its loss changes in the first digits. */
async function namesRun({ model, training }: Change) {
  const config = defaultConfig();
  const tiny = { n_layer: 2, n_head: 2, n_embd: 16, block_size: 12, batch_size: 4 };
  Object.assign(config.model, tiny, model);
  const rate = { learning_rate: 0.02, warmup_iters: 2, max_iters: 20, batch_size: 4 };
  Object.assign(config.training, rate, training);
  const texts = makeSplit(await loadCorpus(config.data), config.data);
  const tokenizer = await makeTokenizer(config.tokenizer, texts);
  const split = makeTokenSplit(texts, tokenizer);
  return { config, split, vocab_size: tokenizer.vocab_size };
}

async function lossesOfThisPage(run: Awaited<ReturnType<typeof namesRun>>): Promise<number[]> {
  const trainer = await Trainer.create({ ...run, objective: pretrain });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    await trainer.takeStep();
    for (const { loss } of await trainer.drain()) losses.push(loss);
  }
  trainer.dispose();
  return losses;
}

describe.each(['wasm', 'cpu'] as const)('on %s', (backend) => {
  it.each(Object.entries(RECIPES))('equals the losses of this page: %s', async (_, change) => {
    const run = await namesRun(change);
    await startTested(backend);
    const expected = await lossesOfThisPage(run);
    await startStock(backend);
    const row = await stockRow({ ...run, backend, steps: STEPS });
    expect(row).toMatchObject({ backend, mode: 'stock', steps: STEPS });
    expectClose(row.losses, expected, { atol: 0, rtol: 1e-4 }, 'losses');
    expect(Math.abs((row.losses[0] ?? NaN) - (row.losses.at(-1) ?? NaN))).toBeGreaterThan(0.05);
  });
});

it('says that dropout draws masks of its own', async () => {
  const run = await namesRun({ model: { dropout: 0.2 } });
  await startStock('cpu');
  const row = await stockRow({ ...run, backend: 'cpu', steps: 2 });
  expect(row.own_dropout).toBe(true);
  expect(row.losses.every(Number.isFinite)).toBe(true);
});

it('refuses an optimizer that TensorFlow.js does not have, in a sentence', async () => {
  const run = await namesRun({ training: { optimizer: 'muon' } });
  await startStock('cpu');
  await expect(stockRow({ ...run, backend: 'cpu', steps: 2 })).rejects.toThrow(
    'TensorFlow.js has no Muon: choose AdamW, Adam or SGD to compare with it.',
  );
});
