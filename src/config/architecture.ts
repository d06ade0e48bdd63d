/** The fields of a model that decide what its weights compute. */
import type { ModelConfig } from './schema.ts';

const SHARED = [
  'layout',
  'n_layer',
  'n_head',
  'n_kv_head',
  'n_embd',
  'head_dim',
  'n_inner',
  'block_size',
  'tie_word_embeddings',
  'activation_function',
  'qk_norm',
  'sliding_window',
  'norm_eps',
] as const satisfies readonly (keyof ModelConfig)[];

const LLAMA_ONLY = [
  'qkv_bias',
  'rope_theta',
  'rope_factor',
] as const satisfies readonly (keyof ModelConfig)[];

/**
 * Fields that two models of this layout must agree on for one to take the other's weights. `bias` of
 * GPT-2 is left to the caller, because a Hugging Face config.json cannot express it.
 */
export function architectureFields(layout: ModelConfig['layout']) {
  return layout === 'llama' ? ([...SHARED, ...LLAMA_ONLY] as const) : SHARED;
}
