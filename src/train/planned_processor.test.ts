/**
 * Compares the planned memory with what a run holds in the engine on the processor. Traces programs
 * and allocates, but does not train.
 */
import { beforeAll, expect, it } from 'vitest';
import { deviceMemory, maxBindingSize, startBackend } from '../backend/index.ts';
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { guessVocab, planRun } from '../plan/index.ts';
import { useBuildsFromFiles } from '../testing/node_engine.ts';
import { Trainer } from './index.ts';

function preset(id: string, training: Partial<RunConfig['training']> = {}): RunConfig {
  const found = PRESETS.find((one) => one.id === id);
  if (!found) throw new Error(`There is no preset ${id}.`);
  const config = structuredClone(found.config);
  Object.assign(config.training, training);
  return config;
}

function largeVocabulary(): RunConfig {
  const config = defaultConfig();
  Object.assign(config.tokenizer, { kind: 'bpe', vocab_size: 32768 });
  Object.assign(config.training, { batch_size: 64 });
  return config;
}

const CASES: readonly (readonly [string, RunConfig])[] = [
  ...PRESETS.filter(({ id }) => id !== 'novel_char').map(({ id }) => [id, preset(id)] as const),
  ['classic, checkpointed', preset('classic', { activation_checkpointing: true })],
  ['classic, Muon', preset('classic', { optimizer: 'muon' })],
  ['classic, SGD', preset('classic', { optimizer: 'sgd' })],
  ['small_llama, checkpointed', preset('small_llama', { activation_checkpointing: true })],
  ['small_llama, Muon', preset('small_llama', { optimizer: 'muon' })],
  ['small_llama, SGD', preset('small_llama', { optimizer: 'sgd', momentum: 0 })],
  ['a vocabulary of 32,768', largeVocabulary()],
];

beforeAll(async () => {
  await useBuildsFromFiles();
  await startBackend('wasm');
});

const allocated = (): number => deviceMemory()?.allocated ?? NaN;

it.each(CASES)('%s is planned within 5 per cent of what it holds', async (_name, config) => {
  const vocab_size = guessVocab(config);
  const tokens = new Int32Array(2 * config.model.block_size + 2);
  const bytes_per_token = new Uint16Array(vocab_size).fill(1);
  const before = allocated();
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size,
  });
  await trainer.generation();
  const held = allocated() - before;
  const { memory } = planRun(config, { vocab_size, max_binding_size: maxBindingSize() });
  trainer.dispose();
  expect(allocated()).toBe(before);
  expect(memory.total / held).toBeGreaterThan(0.95);
  expect(memory.total / held).toBeLessThan(1.05);
});
