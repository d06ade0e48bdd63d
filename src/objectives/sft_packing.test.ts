/** Packing changes which examples share a row, and nothing else. */
import { beforeAll, expect, it } from 'vitest';
import { defaultConfig } from '../config/index.ts';
import { parseStage } from '../config/stage/index.ts';
import { byteTokenizer } from '../data/index.ts';
import { packExamples } from '../data/stages/packing.ts';
import { prepareStage } from '../data/stages/prepare.ts';
import { startEngine } from '../testing/node_engine.ts';
import { Trainer } from '../train/index.ts';
import { sft } from './sft.ts';

const CONTEXT = 48;

beforeAll(startEngine);

/** Twenty short examples, all of which are in one step, and two that are held out. */
const lines = Array.from({ length: 24 }, (_, i) => {
  const prompt = `${i} times ${i % 5 === 0 ? 'two hundred' : 'two'}=`;
  return JSON.stringify({ prompt, completion: `${2 * i}` });
});
const own = { name: 'own.jsonl', bytes: new TextEncoder().encode(lines.join('\n')) };

async function trained(layout: 'gpt2' | 'llama', packing: boolean) {
  const stage = parseStage({ dataset: { task: 'own' }, sft: { packing } });
  const tokenizer = byteTokenizer();
  const options = { stage, needs: 'examples' as const, tokenizer, own, block_size: CONTEXT };
  const prepared = await prepareStage(options);
  const data = { ...prepared, row_length: CONTEXT, prompts: { train: [], val: [] } };
  const { train } = data.examples;
  const rows = packing ? packExamples(train, CONTEXT).length : train.length;
  const config = defaultConfig();
  Object.assign(config.model, { layout, n_layer: 2, n_head: 2, n_embd: 16, n_inner: 32 });
  Object.assign(config.model, { n_kv_head: 2, block_size: CONTEXT, dropout: 0 });
  if (layout === 'llama') config.model.activation_function = 'silu';
  Object.assign(config.training, { batch_size: rows, gradient_accumulation_steps: 1 });
  Object.assign(config.training, { learning_rate: 1e-3, warmup_iters: 0 });
  const empty = new Int32Array(0);
  const split = { train: empty, val: empty, bytes_per_token: new Uint16Array(512) };
  const { vocab_size } = data.chat.tokenizer;
  const trainer = await Trainer.create({ config, objective: sft, split, vocab_size, stage, data });
  const losses: number[] = [];
  const entropies: number[] = [];
  const evaluate = async () => {
    const { metrics } = await trainer.evaluate(() => Promise.resolve());
    losses.push(metrics['val/loss'] ?? NaN);
    entropies.push(metrics['val/entropy'] ?? NaN);
  };
  await evaluate();
  for (let step = 0; step < 3; step++) await trainer.takeStep();
  const steps = await trainer.drain();
  await evaluate();
  trainer.dispose();
  entropies.push(...steps.map((step) => step.metrics['train/entropy'] ?? NaN));
  return { rows, losses: [...losses, ...steps.map(({ loss }) => loss)], entropies };
}

it.each(['gpt2', 'llama'] as const)(
  'packed rows give the losses and entropies of one example a row, and the same updates (%s)',
  async (layout) => {
    const alone = await trained(layout, false);
    const packed = await trained(layout, true);
    expect(packed.rows).toBeLessThan(alone.rows * 0.7);
    expect(alone.losses).toHaveLength(5);
    packed.losses.forEach((loss, i) => expect(loss).toBeCloseTo(alone.losses[i] ?? NaN, 4));
    expect(alone.entropies).toHaveLength(5);
    packed.entropies.forEach((one, i) => expect(one).toBeCloseTo(alone.entropies[i] ?? NaN, 4));
    // Random weights: nearly uniform over the vocabulary of 256 bytes and special tokens.
    expect(alone.entropies[0]).toBeGreaterThan(5.4);
    expect(alone.entropies[0]).toBeLessThan(Math.log(264));
    expect(alone.losses[1]).toBeLessThan((alone.losses[0] ?? 0) - 0.01);
  },
);
