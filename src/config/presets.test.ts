import { describe, expect, it } from 'vitest';
import { PRESETS, checkConfig, decodeConfig, encodeConfig } from './index.ts';
import { presetById } from './testing_configs.ts';

describe('presets', () => {
  it.each(PRESETS.map((p) => [p.id, p] as const))(
    '%s has no problems and is restored from its address',
    (_id, preset) => {
      expect(checkConfig(preset.config)).toEqual([]);
      expect(decodeConfig(encodeConfig(preset.config))).toEqual(preset.config);
      expect(encodeConfig(preset.config)).toBe(`?v=1&preset=${preset.id}`);
    },
  );
  it('have their published ids and hyperparameters', () => {
    expect(PRESETS.map((p) => p.id)).toEqual([
      'names',
      'novel_char',
      'classic',
      'tiny_tales',
      'arithmetic',
      'small_llama',
    ]);
    expect(presetById('novel_char').config).toMatchObject({
      model: { n_layer: 6, n_head: 6, n_embd: 384, block_size: 256, dropout: 0.2, bias: false },
      training: {
        batch_size: 64,
        learning_rate: 1e-3,
        min_lr: 1e-4,
        beta1: 0.9,
        beta2: 0.99,
        warmup_iters: 100,
        max_iters: 5000,
        lr_decay_iters: 5000,
        eval_interval: 250,
        eval_iters: 200,
        weight_decay: 0.1,
        grad_clip: 1,
        gradient_accumulation_steps: 1,
      },
    });
    expect(presetById('classic').config).toMatchObject({
      tokenizer: { kind: 'bpe', vocab_size: 10000 },
      model: { layout: 'gpt2', n_embd: 128, n_head: 8, n_inner: 256, n_layer: 6, block_size: 128 },
      training: {
        batch_size: 16,
        optimizer: 'adam',
        learning_rate: 1e-3,
        lr_schedule: 'constant',
        warmup_iters: 0,
      },
    });
  });
});
