import { describe, expect, it } from 'vitest';
import {
  MOST_LOGITS_BYTES,
  checkConfig,
  logitsBytes,
  logitsChunk,
  resolveModel,
  withField,
  type RunConfig,
} from './index.ts';
import { withFields } from './testing_configs.ts';

describe('logits', () => {
  const large = withFields({ 'training.batch_size': 8, 'model.block_size': 1024 });
  const MB128 = 2 ** 27;
  const chunkOf = (config: RunConfig, vocab: number, binding?: number) =>
    logitsChunk(resolveModel(config.model, vocab), config.training, binding);

  it('are computed in chunks when the binding limit is too small for all of them', () => {
    const model = resolveModel(large.model, 50257);
    expect(4 * 8 * 1024 * 50257).toBeGreaterThan(12 * MB128);
    expect(logitsBytes(model, large.training, MB128)).toBeLessThanOrEqual(MB128);
    expect(checkConfig(large, { vocab_size: 50257, max_binding_size: MB128 })).toEqual([]);
  });
  it('are computed at once up to 256 MiB, however large a binding may be', () => {
    const tokens = MOST_LOGITS_BYTES / (4 * 8 * 1024);
    for (const binding of [undefined, 2 ** 31])
      expect([tokens, tokens + 1].map((v) => chunkOf(large, v, binding))).toEqual([tokens, 4160]);
    const fp16 = withFields({
      'training.batch_size': 8,
      'model.block_size': 1024,
      'training.mixed_precision': 'fp16',
    });
    // Logits are float32 if the vocabulary is not a multiple of four.
    expect([2 * tokens, 2 * tokens + 4, tokens + 1].map((v) => chunkOf(fp16, v))).toEqual([
      2 * tokens,
      8256,
      4160,
    ]);
  });
  it('are split into equal chunks, multiples of 64, as few as the limit allows', () => {
    for (const vocab of [8193, 9999, 32000, 50257, 50304, 151_936])
      for (const binding of [2 ** 27, 2 ** 28, 1e8]) {
        const chunk = chunkOf(large, vocab, binding);
        const most = Math.floor(binding / (4 * 8 * 1024 * 64)) * 64;
        expect(chunk % 64).toBe(0);
        expect(chunk).toBeLessThanOrEqual(most);
        expect(Math.ceil(vocab / chunk)).toBe(Math.ceil(vocab / most));
      }
  });
  it('are reported when even a chunk of 64 tokens is above the limit', () => {
    const vast = withFields({
      'training.batch_size': 4096,
      'model.block_size': 4096,
      'model.n_embd': 4,
      'model.n_head': 1,
    });
    const [problem] = checkConfig(vast, { vocab_size: 50257, max_binding_size: MB128 });
    expect(problem?.message).toMatch(
      /^One tensor, the logits of 64 tokens of the vocabulary at a time/,
    );
    expect(problem?.hint).toContain('Set batch_size to 128 or less');
    expect(
      checkConfig(withField(vast, 'training.batch_size', 128), {
        vocab_size: 50257,
        max_binding_size: MB128,
      }),
    ).toEqual([]);
  });
});
