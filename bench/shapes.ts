/** Shapes of published models, as their config.json has them, with a context of 256 tokens. */
import { defaultConfig, type ModelConfig } from '../src/config/index.ts';

export interface PublishedShape {
  model: ModelConfig;
  vocab_size: number;
}

const shape = (vocab_size: number, change: Partial<ModelConfig>): PublishedShape => ({
  vocab_size,
  model: {
    ...defaultConfig().model,
    layout: 'llama',
    activation_function: 'silu',
    bias: false,
    block_size: 256,
    ...change,
  },
});

export const SHAPES = {
  'smollm2-135m': shape(49152, {
    n_layer: 30,
    n_head: 9,
    n_kv_head: 3,
    n_embd: 576,
    n_inner: 1536,
    rope_theta: 100_000,
  }),
  'qwen3-0.6b': shape(151936, {
    n_layer: 28,
    n_head: 16,
    n_kv_head: 8,
    head_dim: 128,
    n_embd: 1024,
    n_inner: 3072,
    qk_norm: true,
    rope_theta: 1_000_000,
    norm_eps: 1e-6,
  }),
} satisfies Record<string, PublishedShape>;
export type ShapeName = keyof typeof SHAPES;
