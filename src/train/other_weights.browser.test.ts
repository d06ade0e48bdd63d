/** Generation with the weights of an earlier step, beside those that are being trained. */
import { describe, expect, it } from 'vitest';
import { gpuMemory, tensorCount } from '../backend/index.ts';
import { defaultConfig } from '../config/index.ts';
import { loadCorpus, makeSplit, makeTokenizer, makeTokenSplit } from '../data/index.ts';
import { pretrain } from '../objectives/index.ts';
import { startOnce } from '../testing/start_once.ts';
import { Trainer } from './index.ts';
import type { OtherGenerator } from './other_weights.ts';

async function tinyTrainer(): Promise<Trainer> {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 2, n_embd: 16, block_size: 8 });
  Object.assign(config.training, { batch_size: 8, warmup_iters: 0, learning_rate: 0.05 });
  const texts = makeSplit(await loadCorpus(config.data), config.data);
  const tokenizer = await makeTokenizer(config.tokenizer, texts);
  const split = makeTokenSplit(texts, tokenizer);
  const { vocab_size } = tokenizer;
  return Trainer.create({ config, objective: pretrain, split, vocab_size });
}

async function losses(trainer: Trainer, steps: number): Promise<number[]> {
  const found: number[] = [];
  for (let step = 0; step < steps; step++) {
    await trainer.takeStep();
    for (const result of await trainer.drain()) found.push(result.loss);
  }
  return found;
}

/** Probabilities say more than tokens: those of other weights are never the same. */
async function probabilities(generator: Pick<OtherGenerator, 'generateRows'>): Promise<number[]> {
  const { sampling } = defaultConfig();
  const found: number[] = [];
  const options = { ...sampling, max_new_tokens: 6, stop_id: null };
  for await (const { choice } of generator.generateRows([[1, 2]], options))
    found.push(choice.probability);
  return found;
}

describe('the weights of an earlier step', () => {
  it.each(['processor', 'webgpu'] as const)('generate as they did then, on %s', async (backend) => {
    await startOnce(backend);
    const trainer = await tinyTrainer();
    await losses(trainer, 3);
    const early = await trainer.state({ moments: false });
    expect(early.optimizer.size).toBe(0);
    const then = await probabilities(await trainer.generation());
    await losses(trainer, 3);
    const before = [tensorCount(), gpuMemory().live];
    const other = await trainer.generationOf(early.parameters);
    expect(await probabilities(other)).toEqual(then);
    expect(await probabilities(await trainer.generation())).not.toEqual(then);
    other.dispose();
    expect([tensorCount(), gpuMemory().live]).toEqual(before);
    await expect(trainer.generationOf(new Map())).rejects.toThrow(RangeError);
    trainer.dispose();
  });

  it('leave the training as it is, to the bit', async () => {
    await startOnce('processor');
    const plain = await tinyTrainer();
    const expected = await losses(plain, 6);
    plain.dispose();
    const trainer = await tinyTrainer();
    const first = await losses(trainer, 3);
    const { parameters } = await trainer.state();
    const other = await trainer.generationOf(parameters);
    await probabilities(other);
    expect([...first, ...(await losses(trainer, 3))]).toEqual(expected);
    other.dispose();
    trainer.dispose();
  });
});
