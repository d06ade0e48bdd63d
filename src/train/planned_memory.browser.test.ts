/**
 * What the plan says of memory against what a trainer allocates, for every preset. Nothing is
 * trained: buffers are made, and that is all.
 */
import { afterAll, expect, it } from 'vitest';
import { gpuMemory, maxBindingSize, startBackend } from '../backend/index.ts';
import { defaultConfig, PRESETS, type RunConfig } from '../config/index.ts';
import { guessVocab, planRun } from '../plan/index.ts';
import { Trainer } from './index.ts';
import { pretrain } from '../objectives/index.ts';

const rows: string[] = [];

/** The default model with a vocabulary whose logits are made in chunks. */
function large(vocab_size: number, training: Partial<RunConfig['training']>): RunConfig {
  const c = defaultConfig();
  return {
    ...c,
    tokenizer: { ...c.tokenizer, kind: 'bpe', vocab_size },
    training: { ...c.training, batch_size: 64, ...training },
  };
}

/** The presets, two of them (one a layout) in mixed precision, and vocabularies in chunks. */
const CASES: [string, RunConfig][] = [
  ...PRESETS.map((p): [string, RunConfig] => [p.id, p.config]),
  ...PRESETS.filter((p) => p.id === 'classic' || p.config.model.layout === 'llama').map(
    (p): [string, RunConfig] => [
      `${p.id}, fp16`,
      { ...p.config, training: { ...p.config.training, mixed_precision: 'fp16' } },
    ],
  ),
  ['vocabulary of 50,257', large(50257, {})],
  [
    'vocabulary of 50,304, fp16, blocks run again',
    large(50304, { mixed_precision: 'fp16', activation_checkpointing: true }),
  ],
];

it.each(CASES)('%s: planned within 20 per cent of allocated', async (id, config) => {
  await startBackend('webgpu');
  const vocab_size = guessVocab(config);
  const max_binding_size = maxBindingSize();
  const tokens = new Int32Array(2 * config.model.block_size + 2);
  const before = gpuMemory().allocated;
  const trainer = await Trainer.create({
    config,
    objective: pretrain,
    split: { train: tokens, val: tokens, bytes_per_token: new Uint16Array(vocab_size).fill(1) },
    vocab_size,
  });
  // Sampling is a part of every preset's run.
  await trainer.generation();
  const allocated = gpuMemory().allocated - before;
  const planned = planRun(config, { vocab_size, max_binding_size }).memory.total;
  trainer.dispose();
  rows.push(
    `${id}: planned ${(planned / 1e6).toFixed(1)} MB, allocated ${(allocated / 1e6).toFixed(1)} MB, ${((planned / allocated - 1) * 100).toFixed(1)} %`,
  );
  expect(planned / allocated).toBeGreaterThan(0.8);
  expect(planned / allocated).toBeLessThan(1.2);
  expect(gpuMemory().allocated).toBe(before);
});

afterAll(() => console.log(rows.join('\n')));
