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

const modelConfig = (changes: Partial<ModelConfig>): ModelConfig => ({
  ...defaultConfig().model,
  ...changes,
});

/** The default configuration with another training recipe. */
function trainingConfig(changes: Partial<RunConfig['training']>): RunConfig {
  const config = defaultConfig();
  return { ...config, training: { ...config.training, ...changes } };
}

/** [name, model, size of the vocabulary]. */
const VARIANTS: [string, ModelConfig, number][] = [
  ['gpt2', modelConfig({}), 65],
  ['gpt2 without biases, untied', modelConfig({ bias: false, tie_word_embeddings: false }), 300],
  ['gpt2 with n_inner', modelConfig({ n_embd: 128, n_head: 8, n_inner: 256, n_layer: 6 }), 10000],
  ['llama', modelConfig({ layout: 'llama', activation_function: 'silu' }), 512],
  [
    'llama with shared key/value heads, QK-norm, untied',
    modelConfig({
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

describe('countParameters', () => {
  const presets = PRESETS.map((p): [string, ModelConfig, number] => [
    p.id,
    p.config.model,
    guessVocab(p.config),
  ]);

  it.each([...VARIANTS, ...presets])('equals the parameter list of %s', (_name, config, vocab) => {
    const model = resolveModel(config, vocab);
    const list = listParameters(model);
    const count = countParameters(model);
    const sumWhere = (test: (name: string) => boolean) =>
      list.filter((p) => test(p.name)).reduce((total, p) => total + parameterSize(p), 0);
    expect(count.total).toBe(sumWhere(() => true));
    expect(count.attention).toBe(sumWhere((name) => /attn\.(c_|qkv|o_)/.test(name)));
    expect(count.feed_forward).toBe(sumWhere((name) => name.includes('.mlp.')));
    expect(count.norm).toBe(sumWhere((name) => /ln_|norm/.test(name)));
    expect(count.head).toBe(sumWhere((name) => name === 'lm_head.weight'));
    const matrices = list.filter((p) => p.kind === 'matrix');
    expect(blockMatrixParameters(model)).toBe(
      matrices.reduce((total, p) => total + parameterSize(p), 0),
    );
  });

  it('counts the published 124 million parameters of GPT-2 small', () => {
    const small = modelConfig({ n_layer: 12, n_head: 12, n_embd: 768, block_size: 1024 });
    expect(countParameters(resolveModel(small, 50257)).total).toBe(GPT2_SMALL_PARAMETERS);
  });
});

describe('flopsPerToken', () => {
  it("equals nanoGPT's estimate for GPT-2 small, except for vectors and positions", () => {
    const small = modelConfig({ n_layer: 12, n_head: 12, n_embd: 768, block_size: 1024 });
    const model = resolveModel({ ...small, bias: false }, 50304);
    const vectors = 25 * 768;
    const positions = 1024 * 768;
    const attention = 12 * 12 * 12 * 64 * 1024;
    const nanogpt = 6 * (countParameters(model).total - positions) + attention;
    expect(flopsPerToken(model)).toBe(nanogpt - 6 * vectors);
  });

  it('counts no tokens beyond the sliding window', () => {
    const flopsOf = (sliding_window: number) => {
      const config = modelConfig({ layout: 'llama', sliding_window, block_size: 64 });
      return flopsPerToken(resolveModel(config, 100));
    };
    expect(flopsOf(0) - flopsOf(16)).toBe(12 * 4 * 128 * 48);
    expect(flopsOf(1000)).toBe(flopsOf(0));
  });
});

describe('planMemory', () => {
  const plan = (changes: Partial<RunConfig['training']>, vocab = 100) => {
    const config = trainingConfig(changes);
    return planMemory(resolveModel(config.model, vocab), config);
  };

  it('has the sum of all kinds as its total', () => {
    const { total, ...kinds } = plan({});
    expect(Object.values(kinds).reduce((a, b) => a + b, 0)).toBe(total);
  });

  it('plans 16 bytes per parameter under AdamW, within the alignment', () => {
    const { weights, gradients, optimizer } = plan({});
    const n = countParameters(resolveModel(defaultConfig().model, 100)).total;
    const bytes = weights + gradients + optimizer;
    expect(bytes).toBeGreaterThanOrEqual(16 * n);
    expect(bytes).toBeLessThan(16 * n * 1.02);
  });

  it('grows with the batch, shrinks with checkpointing, and ignores accumulation', () => {
    const small = plan({ batch_size: 16 }).activations;
    const large = plan({ batch_size: 32 }).activations;
    const checkpointed = plan({ batch_size: 32, activation_checkpointing: true }).activations;
    expect(large).toBeGreaterThan(1.8 * small);
    expect(checkpointed).toBeLessThan(0.5 * large);
    expect(plan({ gradient_accumulation_steps: 8 }).activations).toBe(plan({}).activations);
  });

  it('plans one copy of the logits', () => {
    expect(plan({ batch_size: 16 }, 5000).logits).toBe(16 * 64 * 5000 * 4);
  });

  it('plans one chunk of the logits if all of them exceed the largest binding', () => {
    const config = trainingConfig({ batch_size: 128 });
    const model = resolveModel(config.model, 50257);
    const byDefault = planMemory(model, config);
    const with128MiB = planMemory(model, config, { max_binding_size: 2 ** 27 });
    expect(byDefault.logits).toBe(128 * 64 * 4 * 7232);
    expect(with128MiB.logits).toBe(128 * 64 * 4 * 3904);
    expect(with128MiB.total).toBeLessThan(byDefault.total);
    expect(byDefault.total).toBeLessThan(4 * 128 * 64 * 50257);
  });

  it.each(PRESETS.map((p) => [p.id, p.config] as const))(
    'does not chunk the logits of the preset %s',
    (_id, config) => {
      const model = resolveModel(config.model, guessVocab(config));
      expect(logitsChunk(model, config.training, 2 ** 27)).toBe(model.vocab_size);
    },
  );

  it('plans fewer moments for SGD and Muon', () => {
    const model = resolveModel(defaultConfig().model, 100);
    const moments = (changes: Partial<RunConfig['training']>) =>
      momentsPerParameter(model, trainingConfig(changes).training);
    expect(moments({ optimizer: 'adamw' })).toBe(2);
    expect(moments({ optimizer: 'sgd' })).toBe(1);
    expect(moments({ optimizer: 'sgd', momentum: 0 })).toBe(0);
    expect(moments({ optimizer: 'muon' })).toBeGreaterThan(1);
    expect(moments({ optimizer: 'muon' })).toBeLessThan(2);
  });
});

describe('frozen parameters', () => {
  const vocab_size = 100;
  const all = listParameters(resolveModel(defaultConfig().model, vocab_size));
  const alignedBytes = (values: number) => Math.ceil((4 * values) / 256) * 256;
  const bytesOf = (list: typeof all) =>
    list.reduce((sum, p) => sum + alignedBytes(parameterSize(p)), 0);

  it('have neither gradient nor moments', () => {
    const trainable = all.filter((p) => /\.mlp\./.test(p.name));
    const frozen = all.filter((p) => !trainable.includes(p));
    const parameters = { trainable, frozen };
    const { memory, n_params, n_trainable } = planRun(defaultConfig(), { vocab_size, parameters });
    expect(memory.weights).toBe(bytesOf(all));
    expect(memory.gradients).toBe(bytesOf(trainable));
    expect(memory.optimizer).toBe(2 * bytesOf(trainable));
    expect(n_trainable).toBe(trainable.reduce((sum, p) => sum + parameterSize(p), 0));
    expect(n_trainable).toBeLessThan(n_params);
  });

  it('leave all other kinds of memory unchanged', () => {
    const parameters = { trainable: [], frozen: all };
    const frozen = planRun(defaultConfig(), { vocab_size, parameters }).memory;
    const trained = planRun(defaultConfig(), { vocab_size }).memory;
    for (const kind of ['activations', 'logits', 'inputs', 'cache'] as const)
      expect(frozen[kind]).toBe(trained[kind]);
    expect(frozen.gradients + frozen.optimizer).toBe(0);
  });

  it.each(['adamw', 'sgd', 'muon'] as const)(
    'are not assumed by default: all parameters train with %s',
    (optimizer) => {
      const config = trainingConfig({ optimizer });
      const listed = planRun(config, { vocab_size, parameters: { trainable: all, frozen: [] } });
      const counted = planRun(config, { vocab_size });
      expect(listed.n_trainable).toBe(counted.n_trainable);
      for (const kind of ['weights', 'gradients', 'optimizer'] as const) {
        expect(listed.memory[kind] / counted.memory[kind]).toBeGreaterThan(0.99);
        expect(listed.memory[kind] / counted.memory[kind]).toBeLessThan(1.01);
      }
    },
  );

  it('may come from outside the model, such as a reference model and a scalar head', () => {
    const scalarHead = { shape: [128, 1], kind: 'head' } as const;
    const parameters = { trainable: [...all, scalarHead], frozen: all };
    const { memory, n_params, n_trainable } = planRun(defaultConfig(), { vocab_size, parameters });
    expect(memory.weights).toBe(2 * bytesOf(all) + 512);
    expect(memory.gradients).toBe(bytesOf(all) + 512);
    expect(n_trainable).toBe(n_params + 128);
  });
});

describe('planRun', () => {
  it('reports the logits as the largest binding of the preset classic', () => {
    const classic = PRESETS.find((p) => p.id === 'classic');
    if (!classic) throw new Error('The preset classic does not exist.');
    const plan = planRun(classic.config, { vocab_size: 10000 });
    expect(plan.largest_binding.name).toContain('logits');
    expect(plan.largest_binding.bytes).toBe(16 * 128 * 10000 * 4);
    expect(plan.tokens_per_step).toBe(2048);
    expect(plan.flops_per_step).toBe(plan.flops_per_token * 2048);
  });

  it('reports a chunk of the logits as the largest binding if they are chunked', () => {
    const facts = { vocab_size: 50257, max_binding_size: 2 ** 27 };
    const plan = planRun(trainingConfig({ batch_size: 128 }), facts);
    expect(plan.largest_binding.name).toContain('the logits of 3904 tokens');
    expect(plan.largest_binding.bytes).toBe(plan.memory.logits);
  });
});
