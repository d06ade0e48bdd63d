import { describe, expect, it } from 'vitest';
import { defaultConfig, type RunConfig } from '../config/index.ts';
import { guessVocab, planRun } from '../plan/index.ts';
import { settleRun, type DeviceFacts, type TextFacts } from './index.ts';

const config = (training: Partial<RunConfig['training']> = {}): RunConfig => ({
  ...defaultConfig(),
  training: { ...defaultConfig().training, ...training },
});
const fp16 = () => config({ mixed_precision: 'fp16' });
const text: TextFacts = { vocab_size: 28, train_tokens: 10_000, val_tokens: 1000 };
const webgpu: DeviceFacts = {
  backend: 'webgpu',
  limits: { max_binding_size: 2 ** 27, max_buffer_size: 2 ** 28 },
  memory_bytes: 2 ** 32,
};
const codes = (...args: Parameters<typeof settleRun>) =>
  settleRun(...args).problems.map((problem) => problem.code);

describe('settleRun', () => {
  it('computes the requested configuration when everything is known and fits', () => {
    const requested = config();
    const settled = settleRun(requested, text, webgpu);
    expect(settled.config).toBe(requested);
    expect(settled.computed).toBe(requested);
    expect(settled.precision).toEqual({ mixed_precision: 'no', reason: null });
    expect(settled.model).toMatchObject({ vocab_size: 28, head_dim: 32, n_inner: 512 });
    expect(settled.plan).toEqual(planRun(requested, { vocab_size: 28, max_binding_size: 2 ** 27 }));
    expect(settled.problems).toEqual([]);
  });

  it('computes and saves a warm-up that fits into the run, and says so', () => {
    const settled = settleRun(config({ max_iters: 20 }), text, webgpu);
    expect(settled.problems).toEqual([]);
    expect(settled.config.training).toMatchObject({ max_iters: 20, warmup_iters: 20 });
    expect(settled.computed.training.warmup_iters).toBe(20);
    expect(settled.adjustments.map((one) => one.message)).toEqual([
      'Warm-up is shortened from 100 to 20 steps, the length of the run (max_iters).',
    ]);
    expect(settleRun(settled.config, text, webgpu).adjustments).toEqual([]);
  });

  it('plans and checks with the effective precision, and keeps the requested one', () => {
    const requested = fp16();
    const settled = settleRun(requested, text, { ...webgpu, float16_unsupported: null });
    expect(settled.precision).toEqual({ mixed_precision: 'fp16', reason: null });
    expect(settled.computed).toBe(requested);
    const refused = settleRun(requested, text, {
      ...webgpu,
      float16_unsupported: 'It rounds wrongly.',
    });
    expect(refused.precision).toEqual({ mixed_precision: 'no', reason: 'It rounds wrongly.' });
    expect(refused.config.training.mixed_precision).toBe('fp16');
    expect(refused.computed.training.mixed_precision).toBe('no');
    expect(refused.plan.memory.logits).toBe(2 * settled.plan.memory.logits);
  });

  it('accepts float16 on a WebGPU device that has not been tested', () => {
    expect(settleRun(fp16(), text, webgpu).precision).toEqual({
      mixed_precision: 'fp16',
      reason: null,
    });
  });

  it.each(['webgl', 'wasm', 'cpu'] as const)(
    'uses float32 on %s when fp16 is requested',
    (backend) => {
      const { precision, computed } = settleRun(fp16(), text, { backend });
      expect(precision.mixed_precision).toBe('no');
      expect(precision.reason).toMatch(/needs WebGPU/);
      expect(computed.training.mixed_precision).toBe('no');
    },
  );

  it('gives no reason when float32 is requested on a device without float16', () => {
    const device = { ...webgpu, float16_unsupported: 'It rounds wrongly.' };
    expect(settleRun(config(), text, device).precision.reason).toBeNull();
  });

  it('reports logits whose smallest chunk is above the binding limit', () => {
    const large = config({ batch_size: 1024 });
    const small = { ...webgpu, limits: { max_binding_size: 2 ** 23, max_buffer_size: 2 ** 28 } };
    const [problem] = settleRun(large, { ...text, vocab_size: 5000 }, small).problems;
    expect(problem?.code).toBe('tensor_above_binding_limit');
    expect(problem?.message).toContain('the logits of 64 tokens');
    expect(codes(config({ batch_size: 32 }), { ...text, vocab_size: 5000 }, small)).toEqual([]);
  });

  it('judges the binding limit by the effective precision', () => {
    const sized = (max_binding_size: number): DeviceFacts => ({
      ...webgpu,
      limits: { max_binding_size, max_buffer_size: 2 ** 28 },
    });
    const requested = config({ batch_size: 64, mixed_precision: 'fp16' });
    // The largest tensor is 64 x 64 x 512 feed-forward activations: 4 MiB in float16.
    expect(codes(requested, text, sized(2 ** 22))).toEqual([]);
    const refused = { ...sized(2 ** 22), float16_unsupported: 'It rounds wrongly.' };
    expect(codes(requested, text, refused)).toEqual(['tensor_above_binding_limit']);
  });

  it('reports a planned buffer above the buffer limit', () => {
    const limits = { max_binding_size: 2 ** 27, max_buffer_size: 2 ** 20 };
    expect(codes(config(), text, { ...webgpu, limits })).toEqual(['buffer_above_limit']);
  });

  it('reports a plan above the memory of the device, if that is known', () => {
    const below = { ...webgpu, memory_bytes: 2 ** 20 };
    expect(codes(config(), text, below)).toEqual(['does_not_fit_device']);
    for (const memory_bytes of [undefined, null, 0])
      expect(codes(config(), text, { ...webgpu, memory_bytes })).toEqual([]);
  });

  it('refuses beforehand what the browser does not give the processor', () => {
    const large = config({ batch_size: 512 });
    large.model = { ...large.model, n_layer: 12, n_embd: 512, block_size: 256 };
    const processor: DeviceFacts = {
      backend: 'wasm',
      limits: { max_binding_size: 2 ** 31, max_buffer_size: 2 ** 31 },
      memory_bytes: 2 ** 30,
    };
    const [problem] = settleRun(large, text, processor).problems;
    expect(problem?.code).toBe('does_not_fit_device');
    expect(problem?.message).toMatch(
      /^The run needs about [\d.]+ GiB, and a run can have 1024 MiB/u,
    );
    expect(codes(config(), text, processor)).toEqual([]);
  });

  it('checks no limits and keeps the requested precision while the device is unknown', () => {
    const huge = fp16();
    huge.model = { ...huge.model, n_embd: 4096, n_head: 64, n_layer: 48 };
    const settled = settleRun(huge, text, null);
    expect(settled.precision).toEqual({ mixed_precision: 'fp16', reason: null });
    expect(settled.problems).toEqual([]);
  });

  it('guesses the vocabulary and checks no text while the text is unknown', () => {
    const requested = config();
    const settled = settleRun(requested, null, webgpu);
    expect(settled.model.vocab_size).toBe(guessVocab(requested));
    expect(settled.plan.n_params).toBe(
      planRun(requested, { vocab_size: guessVocab(requested) }).n_params,
    );
    expect(settled.problems).toEqual([]);
  });

  it('reports a text that is too short', () => {
    expect(codes(config(), { vocab_size: 28, train_tokens: 20, val_tokens: 1 }, null)).toEqual([
      'text_too_short',
      'validation_too_short',
    ]);
  });

  it('sizes an imported model by its own vocabulary, not by the tokenizer', () => {
    const imported: TextFacts = { ...text, vocab_size: 50257, model_vocab_size: 50304 };
    const settled = settleRun(config(), imported, webgpu);
    expect(settled.model.vocab_size).toBe(50304);
    expect(settled.plan).toEqual(
      planRun(config(), { vocab_size: 50304, max_binding_size: 2 ** 27 }),
    );
    // Between the embeddings of the two vocabularies.
    const limits = { max_binding_size: 4 * 128 * 50280, max_buffer_size: 2 ** 28 };
    expect(codes(config(), imported, { ...webgpu, limits })).toEqual([
      'tensor_above_binding_limit',
    ]);
    expect(codes(config(), { ...text, vocab_size: 50257 }, { ...webgpu, limits })).toEqual([]);
  });

  it('reports only the shape of a model whose heads do not divide its width', () => {
    const odd = config();
    odd.model = { ...odd.model, n_embd: 130, n_head: 4 };
    const tiny = { max_binding_size: 256, max_buffer_size: 256 };
    expect(codes(odd, text, { ...webgpu, limits: tiny })).toEqual(['width_not_divisible_by_heads']);
  });
});
