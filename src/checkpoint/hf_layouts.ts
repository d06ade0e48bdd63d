/**
 * GPT-2 and Llama configurations of transformers as models of ours. Every setting that would make
 * the same weights compute something else than our layouts do is refused by name.
 */
import * as v from 'valibot';
import { ModelSchema, type ModelConfig } from '../config/index.ts';
import { shorten } from './error.ts';
import { unsupported, type Gpt2Json, type LlamaJson } from './hf_schema.ts';
import { isRecord } from './json.ts';

/** Longest context of a RunConfig, in tokens. */
const MAX_BLOCK = 4096;

type Activations = Readonly<Record<string, ModelConfig['activation_function']>>;
const GPT2_ACTIVATIONS: Activations = {
  gelu_new: 'gelu_new',
  gelu_pytorch_tanh: 'gelu_new',
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
  qk_norm: boolean;
  /** Which layers `sliding_window` applies to: none, all, or those that config.json says. */
  window: 'none' | 'all' | 'by_layer';
}

/** Throws `unsupported_model`. */
export function llamaDraft(json: LlamaJson, { qk_norm, window }: LlamaVariant): ModelDraft {
  if (json.quantization_config != null) throw unsupported('is quantized');
  if (json.attention_bias || json.mlp_bias) throw unsupported('has biases in a Llama layout');
  if (json.head_dim !== null && json.head_dim * json.num_attention_heads !== json.hidden_size) {
    throw unsupported(
      `has heads of width ${json.head_dim}, which do not add up to its width of ${json.hidden_size}`,
    );
  }
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
    rope_theta: ropeTheta(json),
    qk_norm,
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

function ropeTheta(json: LlamaJson): number {
  for (const rope of [json.rope_parameters, json.rope_scaling]) {
    const type = rope?.rope_type ?? rope?.type ?? 'default';
    if (type !== 'default') {
      throw unsupported(`scales its rotary positions (${shorten(type, 40)})`);
    }
    if ((rope?.partial_rotary_factor ?? 1) !== 1 || json.partial_rotary_factor !== 1) {
      throw unsupported('rotates only a part of each head');
    }
    if (rope && Object.values(rope).some(isRecord)) {
      throw unsupported('has several kinds of rotary positions');
    }
  }
  return json.rope_parameters?.rope_theta ?? json.rope_theta;
}

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
