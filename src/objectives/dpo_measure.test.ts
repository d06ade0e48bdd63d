/** What DPO measures of its own answers, and the entropy that stages log. */
import { beforeAll, expect, it } from 'vitest';
import { parseStage } from '../config/stage/index.ts';
import { byteTokenizer } from '../data/index.ts';
import { prepareStage } from '../data/stages/prepare.ts';
import { labConfig } from '../testing/stage_lab.ts';
import { startEngine } from '../testing/node_engine.ts';
import { Trainer } from '../train/index.ts';
import { dpo } from './dpo.ts';
import { measuredEntropy } from './entropy.ts';

beforeAll(startEngine);

async function sumsTrainer(temperature: number): Promise<Trainer> {
  const stage = parseStage({
    objective: 'dpo',
    dataset: { task: 'arithmetic', preference: 'correct', digits: 1, size: 64, eval_size: 32 },
  });
  const config = labConfig({
    model: { n_layer: 1, n_head: 2, n_embd: 16, block_size: 32, dropout: 0 },
    training: { batch_size: 8, learning_rate: 1e-2, warmup_iters: 0, eval_iters: 2 },
    // Longer than the longest pair, so that answers are cut off.
    sampling: { temperature, max_new_tokens: 24 },
  });
  const tokenizer = byteTokenizer();
  const data = await prepareStage({ stage, needs: 'pairs', tokenizer, block_size: 32 });
  const { vocab_size } = data.chat.tokenizer;
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: new Uint16Array(vocab_size) };
  return Trainer.create({ config, objective: dpo, split, vocab_size, stage, data });
}

async function measured(trainer: Trainer, steps: number) {
  for (let step = 0; step < steps; step++) await trainer.takeStep();
  await trainer.drain();
  return (await trainer.evaluate(() => Promise.resolve())).metrics;
}

it.each([1, 0.6])(
  'the KL from the reference is 0 at first and grows (temperature %s)',
  async (temperature) => {
    const trainer = await sumsTrainer(temperature);
    const before = await measured(trainer, 0);
    const after = await measured(trainer, 20);
    trainer.dispose();
    expect(before['val/kl']).toBeCloseTo(0, 4);
    expect(after['val/kl']).toBeGreaterThan(0.01);
    expect(before['val/entropy']).toBeGreaterThan(after['val/entropy'] ?? NaN);
  },
);

it('greedy answers have no KL', async () => {
  const trainer = await sumsTrainer(0);
  const metrics = await measured(trainer, 1);
  trainer.dispose();
  expect(metrics['val/exact_match']).toBeDefined();
  expect(metrics).not.toHaveProperty('val/kl');
});

it('an entropy that was not measured is left out', () => {
  expect(measuredEntropy({ loss: 1, entropy: -2 })).toEqual({ loss: 1 });
  expect(measuredEntropy({ loss: 1, entropy: 0 })).toEqual({ loss: 1, entropy: 0 });
});
