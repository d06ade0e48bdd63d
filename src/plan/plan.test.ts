import { describe, expect, it } from 'vitest';
import {
  PRESETS,
  defaultConfig,
  logitsChunk,
  resolveModel,
  type ModelConfig,
  type RunConfig,
} from '../config/index.ts';
import { listParameters, parameterSize } from '../model/parameters.ts';
import {
  GPT2_SMALL_PARAMETERS,
  blockMatrixParameters,
  countParameters,
  flopsPerToken,
  guessVocab,
  momentsPerParameter,
  planMemory,
  planRun,
} from './index.ts';

const model = (changes: Partial<ModelConfig>): ModelConfig => ({
  ...defaultConfig().model,
  ...changes,
});
const VARIANTS: [string, ModelConfig, number][] = [
  ['gpt2', model({}), 65],
  ['gpt2 without biases, untied', model({ bias: false, tie_word_embeddings: false }), 300],
  ['gpt2 with n_inner', model({ n_embd: 128, n_head: 8, n_inner: 256, n_layer: 6 }), 10000],
  ['llama', model({ layout: 'llama', activation_function: 'silu' }), 512],
  [
    'llama with shared key/value heads, QK-norm, untied',
    model({
      layout: 'llama',
      n_head: 6,
      n_kv_head: 2,
      n_embd: 96,
      qk_norm: true,
      tie_word_embeddings: false,
    }),
    777,
  ],
];

describe('parameters', () => {
  it.each([
    ...VARIANTS,
    ...PRESETS.map((p): [string, ModelConfig, number] => [
      p.id,
      p.config.model,
      guessVocab(p.config),
    ]),
  ])('of %s are those of the model room', (_name, config, vocab) => {
    const resolved = resolveModel(config, vocab);
    const list = listParameters(resolved);
    const count = countParameters(resolved);
    const sum = (test: (name: string) => boolean) =>
      list.filter((p) => test(p.name)).reduce((total, p) => total + parameterSize(p), 0);
    expect(count.total).toBe(sum(() => true));
    expect(count.attention).toBe(sum((n) => /attn\.(c_|qkv|o_)/.test(n)));
    expect(count.feed_forward).toBe(sum((n) => n.includes('.mlp.')));
    expect(count.norm).toBe(sum((n) => /ln_|norm/.test(n)));
    expect(count.head).toBe(sum((n) => n === 'lm_head.weight'));
    expect(blockMatrixParameters(resolved)).toBe(
      list.filter((p) => p.kind === 'matrix').reduce((total, p) => total + parameterSize(p), 0),
    );
  });

  it('of GPT-2 small are as published', () => {
    const small = resolveModel(
      model({ n_layer: 12, n_head: 12, n_embd: 768, block_size: 1024 }),
      50257,
    );
    expect(countParameters(small).total).toBe(GPT2_SMALL_PARAMETERS);
  });
});

describe('flopsPerToken', () => {
  it('is what nanoGPT estimates for GPT-2 small without biases, vectors and positions apart', () => {
    const m = resolveModel(
      model({ n_layer: 12, n_head: 12, n_embd: 768, block_size: 1024, bias: false }),
      50304,
    );
    const vectors = 25 * 768;
    const positions = 1024 * 768;
    const nanogpt = 6 * (countParameters(m).total - positions) + 12 * 12 * 12 * 64 * 1024;
    expect(flopsPerToken(m)).toBe(nanogpt - 6 * vectors);
  });
  it('counts no further than the sliding window', () => {
    const at = (sliding_window: number) =>
      flopsPerToken(resolveModel(model({ layout: 'llama', sliding_window, block_size: 64 }), 100));
    expect(at(0) - at(16)).toBe(12 * 4 * 128 * 48);
    expect(at(1000)).toBe(at(0));
  });
});

describe('planMemory', () => {
  const plan = (changes: Partial<RunConfig['training']>, vocab = 100) => {
    const config = defaultConfig();
    config.training = { ...config.training, ...changes };
    return planMemory(resolveModel(config.model, vocab), config);
  };
  it('sums its kinds', () => {
    const { total, ...kinds } = plan({});
    expect(Object.values(kinds).reduce((a, b) => a + b, 0)).toBe(total);
  });
  it('holds 16 bytes a parameter under AdamW (FIELD: fp32 Adam), within the alignment', () => {
    const m = plan({});
    const n = countParameters(resolveModel(defaultConfig().model, 100)).total;
    const bytes = m.weights + m.gradients + m.optimizer;
    expect(bytes).toBeGreaterThanOrEqual(16 * n);
    expect(bytes).toBeLessThan(16 * n * 1.02);
  });
  it('grows with the batch and shrinks with checkpointing', () => {
    expect(plan({ batch_size: 32 }).activations).toBeGreaterThan(
      1.8 * plan({ batch_size: 16 }).activations,
    );
    expect(plan({ batch_size: 32, activation_checkpointing: true }).activations).toBeLessThan(
      0.5 * plan({ batch_size: 32 }).activations,
    );
    expect(plan({ gradient_accumulation_steps: 8 }).activations).toBe(plan({}).activations);
  });
  it('keeps one copy of the logits', () => {
    expect(plan({ batch_size: 16 }, 5000).logits).toBe(16 * 64 * 5000 * 4);
  });
  it('keeps a chunk of the logits where all would be too large, by the binding of the device', () => {
    const config = defaultConfig();
    const m = resolveModel(config.model, 50257);
    const { training } = config;
    const planned = (binding?: number) =>
      planMemory(m, { ...config, training: { ...training, batch_size: 128 } }, binding);
    expect(planned().logits).toBe(128 * 64 * 4 * 7232);
    expect(planned(2 ** 27).logits).toBe(128 * 64 * 4 * 3904);
    expect(planned(2 ** 27).total).toBeLessThan(planned().total);
    expect(planned().total).toBeLessThan(4 * 128 * 64 * 50257);
  });
  it.each(PRESETS.map((p) => [p.id, p.config] as const))(
    'keeps all logits of the preset %s at once',
    (_id, config) => {
      const m = resolveModel(config.model, guessVocab(config));
      expect(logitsChunk(m, config.training, 2 ** 27)).toBe(m.vocab_size);
    },
  );
  it('keeps fewer moments where the optimizer does', () => {
    const m = resolveModel(defaultConfig().model, 100);
    const t = defaultConfig().training;
    expect(momentsPerParameter(m, { ...t, optimizer: 'sgd' })).toBe(1);
    expect(momentsPerParameter(m, { ...t, optimizer: 'sgd', momentum: 0 })).toBe(0);
    const muon = momentsPerParameter(m, { ...t, optimizer: 'muon' });
    expect(muon).toBeGreaterThan(1);
    expect(muon).toBeLessThan(2);
  });
});

describe('planRun', () => {
  it('names the logits as the largest binding of the classic', () => {
    const classic = PRESETS.find((p) => p.id === 'classic');
    if (!classic) throw new Error('The classic preset is gone.');
    const plan = planRun(classic.config, { vocab_size: 10000 });
    expect(plan.largest_binding.name).toContain('logits');
    expect(plan.largest_binding.bytes).toBe(16 * 128 * 10000 * 4);
    expect(plan.tokens_per_step).toBe(2048);
    expect(plan.flops_per_step).toBe(plan.flops_per_token * 2048);
  });
  it('takes the chunk of the logits for the largest binding', () => {
    const config = defaultConfig();
    const plan = planRun(
      { ...config, training: { ...config.training, batch_size: 128 } },
      { vocab_size: 50257, max_binding_size: 2 ** 27 },
    );
    expect(plan.largest_binding.name).toContain('the logits of 3904 tokens');
    expect(plan.largest_binding.bytes).toBe(plan.memory.logits);
  });
});
