/**
 * A run on the engine on the processor holds the memory that it has after its first steps,
 * however many follow.
 */
import { beforeAll, expect, it } from 'vitest';
import { startBackend, tensorCount } from '../backend/index.ts';
import { processor } from '../backend/state.ts';
import { defaultConfig } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { breathe, Trainer } from './index.ts';

const STEPS = 20_000;
/** Steps between two looks at the memory, each after an evaluation, a sample and a saved state. */
const EACH = 1050;
const VOCAB = 8;
const GREEDY = { temperature: 0, top_k: 0, top_p: 1, min_p: 0, sample_seed: 1 };

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

function createTrainer(): Promise<Trainer> {
  const config = defaultConfig();
  Object.assign(config.model, { n_layer: 1, n_head: 1, n_embd: 8, n_inner: 8, block_size: 4 });
  Object.assign(config.training, { batch_size: 2, warmup_iters: 0, max_iters: STEPS });
  Object.assign(config.training, { eval_iters: 1 });
  const tokens = Int32Array.from({ length: 200 }, (_, i) => (i * i) % VOCAB);
  const split = { train: tokens, val: tokens, bytes_per_token: new Uint16Array(VOCAB).fill(1) };
  return Trainer.create({ config, objective: pretrain, split, vocab_size: VOCAB });
}

async function takeSteps(trainer: Trainer, steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) {
    await trainer.takeStep();
    if (trainer.mustDrain) await trainer.drain();
  }
  await trainer.drain();
  await trainer.evaluate(breathe);
  const generator = await trainer.generation();
  for await (const _ of generator.generate([1], { ...GREEDY, max_new_tokens: 4 }));
  await trainer.state();
}

/** Bytes and blocks of the engine, pages of its memory and tensors of tfjs. */
function held() {
  const { engine } = processor();
  const { allocated, blocks } = engine.heap.use;
  return { allocated, blocks, bytes: engine.memory.buffer.byteLength, tensors: tensorCount() };
}

it('holds its memory over 20,000 steps, evaluations, samples and saved states', async () => {
  const empty = held();
  const trainer = await createTrainer();
  await takeSteps(trainer, 50);
  const expected = held();
  for (let step = 50; step < STEPS; step += EACH) {
    await takeSteps(trainer, EACH);
    expect(held(), `after ${trainer.step} steps`).toEqual(expected);
  }
  expect(trainer.step).toBe(STEPS);
  trainer.dispose();
  const { bytes: _, ...after } = held();
  expect(empty).toMatchObject(after);
});
