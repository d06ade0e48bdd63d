/**
 * GPT-2 and Llama configurations of transformers as models of ours. Every setting that would make
 * the same weights compute something else than our layouts do is refused by name.
 */
import * as v from 'valibot';
import { ModelSchema, type ModelConfig } from '../config/index.ts';
import { LLAMA3_ROPE } from '../model/rotary.ts';
import { shorten } from './error.ts';
import { unsupported, type Gpt2Json, type LlamaJson, type RopeJson } from './hf_schema.ts';
import { isRecord } from './json.ts';

/** Longest context of a RunConfig, in tokens. */
const MAX_BLOCK = 4096;

type Activations = Readonly<Record<string, ModelConfig['activation_function']>>;
const GPT2_ACTIVATIONS: Activations = {
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
  gelu: 'gelu',
  relu2: 'relu2',
};
const LLAMA_ACTIVATIONS: Activations = { silu: 'silu', swish: 'silu', relu2: 'relu2' };

/** A model whose sizes were not checked against each other yet. */
export interface ModelDraft {
  config: ModelConfig;
  vocab_size: number;
  /** Sentences for the page about what was changed. */
  notes: string[];
}

/** Throws `unsupported_model`. */
export function gpt2Draft(json: Gpt2Json): ModelDraft {
  if (json.quantization_config != null) throw unsupported('is quantized');
  if (!json.scale_attn_weights || json.scale_attn_by_inverse_layer_idx) {
    throw unsupported('scales its attention differently');
  }
  if (json.add_cross_attention) throw unsupported('has cross-attention');
  const config = checkedModel({
    layout: 'gpt2',
    n_layer: json.n_layer,
    n_head: json.n_head,
    n_kv_head: 0,
    n_embd: json.n_embd,
    n_inner: json.n_inner ?? 0,
    block_size: json.n_positions,
    bias: true,
    tie_word_embeddings: json.tie_word_embeddings,
    dropout: json.resid_pdrop,
    norm_eps: json.layer_norm_epsilon,
    activation_function: activation(json.activation_function, GPT2_ACTIVATIONS),
  });
  return { config, vocab_size: json.vocab_size, notes: [] };
}

export interface LlamaVariant {
  qk_norm?: boolean;
  /** Biases of queries, keys and values, which Qwen2 has whatever its config.json says. */
  qkv_bias?: boolean;
  /** Which layers `sliding_window` applies to: none, all, or those that config.json says. */
  window: 'none' | 'all' | 'by_layer';
}

/** Throws `unsupported_model`. */
export function llamaDraft(json: LlamaJson, variant: LlamaVariant): ModelDraft {
  const { qk_norm = false, qkv_bias = false, window } = variant;
  if (json.quantization_config != null) throw unsupported('is quantized');
  if (json.attention_bias || json.mlp_bias) throw unsupported('has biases in a Llama layout');
  const { theta, factor } = rotary(json);
  const config = checkedModel({
    layout: 'llama',
    n_layer: json.num_hidden_layers,
    n_head: json.num_attention_heads,
    n_kv_head: json.num_key_value_heads ?? json.num_attention_heads,
    n_embd: json.hidden_size,
    n_inner: json.intermediate_size,
    block_size: Math.min(json.max_position_embeddings, MAX_BLOCK),
    bias: false,
    tie_word_embeddings: json.tie_word_embeddings,
    dropout: json.attention_dropout,
    norm_eps: json.rms_norm_eps,
    head_dim: ownHeadWidth(json),
    rope_theta: theta,
    rope_factor: factor,
    qk_norm,
    qkv_bias,
    sliding_window: slidingWindow(json, window),
    activation_function: activation(json.hidden_act, LLAMA_ACTIVATIONS),
  });
  const { max_position_embeddings: context, vocab_size } = json;
  const notes =
    context > MAX_BLOCK ? [`The context was cut from ${context} to ${MAX_BLOCK} tokens.`] : [];
  return { config, vocab_size, notes };
}

function activation(name: string, known: Activations): ModelConfig['activation_function'] {
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!found) throw unsupported(`uses the activation ${shorten(name, 40)}`);
  return found;
}

/** The width of a head if it is not the width of the model shared among them, else 0. */
function ownHeadWidth({ head_dim, hidden_size, num_attention_heads }: LlamaJson): number {
  return head_dim === null || head_dim * num_attention_heads === hidden_size ? 0 : head_dim;
}

interface Rotary {
  theta: number;
  /** Of `rope_type: llama3`; 1 without it. */
  factor: number;
}

function rotary(json: LlamaJson): Rotary {
  const all = [json.rope_parameters, json.rope_scaling].filter((rope) => rope !== null);
  for (const rope of all) {
    if (rope.partial_rotary_factor !== 1) throw unsupported('rotates only a part of each head');
    if (Object.values(rope).some(isRecord)) {
      throw unsupported('has several kinds of rotary positions');
    }
  }
  if (json.partial_rotary_factor !== 1) throw unsupported('rotates only a part of each head');
  const factors = all.map(ropeFactor);
  return {
    theta: json.rope_parameters?.rope_theta ?? json.rope_theta,
    factor: Math.max(1, ...factors),
  };
}

/** The factor of Llama 3's scaling. Throws `unsupported_model` for other kinds. */
function ropeFactor(rope: RopeJson): number {
  const type = rope.rope_type ?? rope.type ?? 'default';
  if (type === 'default') return 1;
  if (type !== 'llama3') throw unsupported(`scales its rotary positions (${shorten(type, 40)})`);
  const differs = LLAMA3_FIELDS.find(
    (name) => (rope[name] ?? LLAMA3_ROPE[name]) !== LLAMA3_ROPE[name],
  );
  if (differs)
    throw unsupported(`scales its rotary positions with another ${differs} than Llama 3`);
  return rope.factor ?? 1;
}

const LLAMA3_FIELDS = [
  'low_freq_factor',
  'high_freq_factor',
  'original_max_position_embeddings',
] as const satisfies readonly (keyof typeof LLAMA3_ROPE)[];

/**
 * Number of latest tokens that every layer attends to, or 0 for all. A window that is longer than any
 * context here has no effect.
 */
function slidingWindow(json: LlamaJson, window: LlamaVariant['window']): number {
  const size = json.sliding_window ?? 0;
  const effective = size <= MAX_BLOCK ? size : 0;
  switch (window) {
    case 'none':
      return 0;
    case 'all':
      return effective;
    case 'by_layer':
      return hasWindow(json) ? effective : 0;
    default:
      return window satisfies never;
  }
}

/** True if all layers have a window. Throws `unsupported_model` if only some have one. */
function hasWindow(json: LlamaJson): boolean {
  const types = json.layer_types ?? defaultLayerTypes(json);
  const first = types[0] ?? 'full_attention';
  if (types.some((type) => type !== first)) {
    throw unsupported('mixes layers with and without a sliding window');
  }
  if (first !== 'full_attention' && first !== 'sliding_attention') {
    throw unsupported(`has ${shorten(first, 40)} layers`);
  }
  return first === 'sliding_attention';
}

/** The types that Qwen3Config derives; the cap bounds a hostile number of layers. */
function defaultLayerTypes(json: LlamaJson): string[] {
  return Array.from({ length: Math.min(json.num_hidden_layers, 1000) }, (_, layer) =>
    json.use_sliding_window && layer >= json.max_window_layers
      ? 'sliding_attention'
      : 'full_attention',
  );
}

/** Checks each setting against the range that a RunConfig allows. Throws `unsupported_model`. */
export function checkedModel(config: v.InferInput<typeof ModelSchema>): ModelConfig {
  const result = v.safeParse(ModelSchema, config);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const field = v.getDotPath(issue) ?? 'a setting';
  const allowed = shorten(issue.expected ?? 'another value', 40);
  throw unsupported(`has ${field} ${shorten(issue.received, 40)} (here it can be ${allowed})`);
}
