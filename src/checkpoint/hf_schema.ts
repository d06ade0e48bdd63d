/**
 * config.json of transformers as far as it is read. Defaults are those of the configuration classes
 * of transformers 5.
 */
import * as v from 'valibot';
import { CheckpointError, damaged, shorten } from './error.ts';

const FILE = 'config.json';

export const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31));
const token = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31));
const orNull = <T extends v.GenericSchema>(schema: T) => v.nullish(schema, null);

const common = {
  bos_token_id: orNull(token),
  eos_token_id: orNull(v.union([token, v.array(token)])),
  // Some folders have -1 for none.
  pad_token_id: v.optional(v.fallback(orNull(token), null), null),
  quantization_config: v.optional(v.unknown()),
};
export const CommonSchema = v.looseObject(common);

export const Gpt2Schema = v.looseObject({
  ...common,
  vocab_size: v.optional(count, 50257),
  n_positions: v.optional(count, 1024),
  n_embd: v.optional(count, 768),
  n_layer: v.optional(count, 12),
  n_head: v.optional(count, 12),
  n_inner: orNull(count),
  activation_function: v.optional(v.string(), 'gelu_new'),
  layer_norm_epsilon: v.optional(v.number(), 1e-5),
  resid_pdrop: v.optional(v.number(), 0.1),
  tie_word_embeddings: v.optional(v.boolean(), true),
  scale_attn_weights: v.optional(v.boolean(), true),
  scale_attn_by_inverse_layer_idx: v.optional(v.boolean(), false),
  add_cross_attention: v.optional(v.boolean(), false),
});
export type Gpt2Json = v.InferOutput<typeof Gpt2Schema>;

const RopeSchema = v.looseObject({
  rope_type: v.optional(v.string()),
  type: v.optional(v.string()),
  rope_theta: v.optional(v.number()),
  partial_rotary_factor: v.optional(v.number(), 1),
  factor: v.optional(v.number()),
  low_freq_factor: v.optional(v.number()),
  high_freq_factor: v.optional(v.number()),
  original_max_position_embeddings: v.optional(v.number()),
});
export type RopeJson = v.InferOutput<typeof RopeSchema>;
const rope = orNull(RopeSchema);

/** Llama, and with the defaults below Mistral, Qwen2 and Qwen3. */
export const LlamaSchema = v.looseObject({
  ...common,
  vocab_size: v.optional(count, 32000),
  hidden_size: v.optional(count, 4096),
  intermediate_size: v.optional(count, 11008),
  num_hidden_layers: v.optional(count, 32),
  num_attention_heads: v.optional(count, 32),
  num_key_value_heads: orNull(count),
  head_dim: orNull(count),
  hidden_act: v.optional(v.string(), 'silu'),
  max_position_embeddings: v.optional(count, 2048),
  rms_norm_eps: v.optional(v.number(), 1e-6),
  rope_theta: v.optional(v.number(), 10000),
  rope_parameters: rope,
  rope_scaling: rope,
  partial_rotary_factor: v.optional(v.number(), 1),
  attention_bias: v.optional(v.boolean(), false),
  mlp_bias: v.optional(v.boolean(), false),
  attention_dropout: v.optional(v.number(), 0),
  tie_word_embeddings: v.optional(v.boolean(), false),
  sliding_window: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0))),
  use_sliding_window: v.optional(v.boolean(), false),
  max_window_layers: v.optional(v.number(), 28),
  layer_types: v.nullish(v.array(v.string())),
});
export type LlamaJson = v.InferOutput<typeof LlamaSchema>;

/** Defaults of MistralConfig that differ from LlamaConfig's. */
export const MISTRAL_DEFAULTS = {
  intermediate_size: 14336,
  num_key_value_heads: 8,
  max_position_embeddings: 131072,
  sliding_window: 4096,
} as const;

/** Defaults of Qwen2Config that differ from LlamaConfig's. */
export const QWEN2_DEFAULTS = {
  vocab_size: 151936,
  intermediate_size: 22016,
  num_key_value_heads: 32,
  max_position_embeddings: 32768,
  sliding_window: 4096,
} as const;

/** Defaults of Qwen3Config that differ from LlamaConfig's. */
export const QWEN3_DEFAULTS = {
  vocab_size: 151936,
  intermediate_size: 22016,
  num_key_value_heads: 32,
  head_dim: 128,
  max_position_embeddings: 32768,
  sliding_window: 4096,
} as const;

/** Validates config.json. Throws `bad_header`. */
export function parseFields<const T extends v.GenericSchema>(
  schema: T,
  json: unknown,
): v.InferOutput<T> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? 'a field';
  const expected = shorten(issue.expected ?? 'another value', 40);
  const what = `${field} is ${shorten(issue.received, 40)}, but ${expected} was expected`;
  throw damaged('bad_header', FILE, what);
}

/** The error for a model that our layouts cannot compute. `what` completes "The model ...". */
export const unsupported = (what: string): CheckpointError =>
  new CheckpointError(
    'unsupported_model',
    `The model in this folder ${what}, which Terrarium cannot compute.`,
    'Bring a standard GPT-2, Llama, Mistral, Qwen2 or Qwen3 of small size.',
  );
