/**
 * Compares the planned memory with what a trainer allocates, for every preset. Allocates buffers
 * and compiles programs, but does not train.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { gpuMemory, maxBindingSize, startBackend } from '../backend/index.ts';
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import { pretrain } from '../objectives/index.ts';
import { guessVocab, planRun } from '../plan/index.ts';
import { Trainer } from './index.ts';

const rows: string[] = [];

/** The default model with a vocabulary so large that its logits are made in chunks. */
function largeVocabulary(vocab_size: number, training: Partial<RunConfig['training']>): RunConfig {
  const config = defaultConfig();
  Object.assign(config.tokenizer, { kind: 'bpe', vocab_size });
  Object.assign(config.training, { batch_size: 64, ...training });
  return config;
}

function inFloat16(config: RunConfig): RunConfig {
  return { ...config, training: { ...config.training, mixed_precision: 'fp16' } };
}

const oneOfEachLayout = PRESETS.filter(
  ({ id, config }) => id === 'classic' || config.model.layout === 'llama',
);
const CASES: readonly (readonly [string, RunConfig])[] = [
  ...PRESETS.map(({ id, config }) => [id, config] as const),
  ...oneOfEachLayout.map(({ id, config }) => [`${id}, fp16`, inFloat16(config)] as const),
  ['vocabulary of 50,257', largeVocabulary(50257, {})],
  [
    'vocabulary of 50,304, fp16, activation checkpointing',
    largeVocabulary(50304, { mixed_precision: 'fp16', activation_checkpointing: true }),
  ],
];

/** One device for all cases, so that compiled pipelines are reused. */
beforeAll(async () => {
  await startBackend('webgpu');
});

it.each(CASES)('%s is planned within 20 per cent of what it allocates', async (id, config) => {
  const vocab_size = guessVocab(config);
  const tokens = new Int32Array(2 * config.model.block_size + 2);
  const bytes_per_token = new Uint16Array(vocab_size).fill(1);
  const before = gpuMemory().allocated;
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token },
    vocab_size,
  });
  // Every preset samples while it trains.
  await trainer.generation();
  const allocated = gpuMemory().allocated - before;
  const max_binding_size = maxBindingSize();
  const planned = planRun(config, { vocab_size, max_binding_size }).memory.total;
  trainer.dispose();
  const [plannedMb, allocatedMb] = [planned, allocated].map((bytes) => (bytes / 1e6).toFixed(1));
  const error = ((planned / allocated - 1) * 100).toFixed(1);
  rows.push(`${id}: planned ${plannedMb} MB, allocated ${allocatedMb} MB, ${error} %`);
  expect(planned / allocated).toBeGreaterThan(0.8);
  expect(planned / allocated).toBeLessThan(1.2);
  expect(gpuMemory().allocated).toBe(before);
});

afterAll(() => console.log(rows.join('\n')));
