/**
 * Writes config.json of transformers for a model of ours.
 *
 * | ours                          | transformers       |
 * |-------------------------------|--------------------|
 * | gpt2 layout                   | GPT2LMHeadModel    |
 * | llama layout                  | LlamaForCausalLM   |
 * | llama + qkv_bias              | Qwen2ForCausalLM   |
 * | llama + qk_norm               | Qwen3ForCausalLM   |
 * | llama + sliding_window        | MistralForCausalLM |
 *
 * A GPT-2 without biases is written with biases of zero, which compute the same. A model without an
 * equivalent is saved under a model type of our own, so that transformers refuses the folder instead
 * of computing something else.
 */
import type { ResolvedModel } from '../config/index.ts';
import { LLAMA3_ROPE } from '../model/rotary.ts';
import { CheckpointError } from './error.ts';

export type HfArchitecture =
  | 'GPT2LMHeadModel'
  | 'LlamaForCausalLM'
  | 'Qwen2ForCausalLM'
  | 'Qwen3ForCausalLM'
  | 'MistralForCausalLM';

/** Model type of folders that only Terrarium reads. */
export const OWN_MODEL_TYPE = 'terrarium';

/** Ids of the tokens that begin and end a document; null if the tokenizer has no such token. */
export interface SpecialTokens {
  bos_token_id: number | null;
  eos_token_id: number | null;
  /** Fills rows. Left out of the files if there is none. */
  pad_token_id?: number | null;
}

type JsonFields = Record<string, unknown>;

/** The class of transformers that computes this model. Throws `no_equivalent` if there is none. */
export function hfArchitecture(model: ResolvedModel): HfArchitecture {
  switch (model.layout) {
    case 'gpt2':
      return gpt2Architecture(model);
    case 'llama':
      return llamaArchitecture(model);
    default:
      return model.layout satisfies never;
  }
}

function gpt2Architecture(model: ResolvedModel): HfArchitecture {
  if (model.qk_norm) {
    throw noEquivalent(
      'the GPT-2 layout with QK-norm',
      'The Llama layout with QK-norm can be exported (as Qwen3).',
    );
  }
  if (model.sliding_window > 0) {
    throw noEquivalent(
      'the GPT-2 layout with a sliding window',
      'The Llama layout with a sliding window can be exported (as Mistral).',
    );
  }
  if (model.activation_function === 'silu') {
    throw noEquivalent('the GPT-2 layout with SwiGLU', 'GELU and relu squared can be exported.');
  }
  return 'GPT2LMHeadModel';
}

function llamaArchitecture(model: ResolvedModel): HfArchitecture {
  const { activation_function: gate } = model;
  if (gate === 'gelu_new' || gate === 'gelu') {
    throw noEquivalent(
      'the Llama layout with a GELU gate as trained here',
      'SiLU and relu squared can be exported.',
    );
  }
  if (model.qkv_bias) {
    if (!model.qk_norm) return 'Qwen2ForCausalLM';
    throw noEquivalent(
      'biases of queries, keys and values together with QK-norm',
      'Either of them alone can be exported (as Qwen2 or Qwen3).',
    );
  }
  if (model.qk_norm) return 'Qwen3ForCausalLM';
  return model.sliding_window > 0 ? 'MistralForCausalLM' : 'LlamaForCausalLM';
}

const noEquivalent = (what: string, hint: string) =>
  new CheckpointError(
    'no_equivalent',
    `No model in transformers has ${what}, so this one cannot be exported for it.`,
    `${hint} Terrarium's own zip keeps this model as it is.`,
  );

/** config.json for `AutoModelForCausalLM`. Throws `no_equivalent`. */
export function hfConfig(
  model: ResolvedModel,
  { bos_token_id, eos_token_id, pad_token_id }: SpecialTokens,
): JsonFields {
  const architecture = hfArchitecture(model);
  const common = {
    architectures: [architecture],
    vocab_size: model.vocab_size,
    bos_token_id,
    eos_token_id,
    tie_word_embeddings: model.tie_word_embeddings,
    initializer_range: 0.02,
    use_cache: true,
    torch_dtype: 'float32',
    dtype: 'float32',
  };
  const fields: JsonFields = { ...common, ...architectureFields(architecture, model) };
  if (typeof pad_token_id === 'number') fields.pad_token_id = pad_token_id;
  return fields;
}

function architectureFields(architecture: HfArchitecture, model: ResolvedModel): JsonFields {
  switch (architecture) {
    case 'GPT2LMHeadModel':
      return { model_type: 'gpt2', ...gpt2Fields(model) };
    case 'LlamaForCausalLM':
      return { model_type: 'llama', ...llamaFields(model), mlp_bias: false };
    case 'MistralForCausalLM': {
      const { sliding_window } = model;
      return { model_type: 'mistral', ...llamaFields(model), sliding_window };
    }
    case 'Qwen2ForCausalLM':
      return { model_type: 'qwen2', ...llamaFields(model), ...windowByLayer(model) };
    case 'Qwen3ForCausalLM':
      return { model_type: 'qwen3', ...llamaFields(model), ...windowByLayer(model) };
    default:
      return architecture satisfies never;
  }
}

/** Sentences for the page about what an export changes. */
export function exportNotes(model: ResolvedModel): string[] {
  if (model.layout !== 'gpt2' || model.bias) return [];
  return [
    'GPT-2 in transformers always has biases, so this model is written with biases of zero, ' +
      'which compute the same.',
  ];
}

/** config.json of a folder that only Terrarium reads. */
export const ownConfig = (
  model: ResolvedModel,
  { bos_token_id, eos_token_id, pad_token_id }: SpecialTokens,
): JsonFields => ({
  model_type: OWN_MODEL_TYPE,
  architectures: ['TerrariumForCausalLM'],
  bos_token_id,
  eos_token_id,
  pad_token_id: pad_token_id ?? undefined,
  ...model,
});

function gpt2Fields(model: ResolvedModel): JsonFields {
  return {
    n_positions: model.block_size,
    n_embd: model.n_embd,
    n_layer: model.n_layer,
    n_head: model.n_head,
    n_inner: model.n_inner,
    activation_function: model.activation_function,
    layer_norm_epsilon: model.norm_eps,
    resid_pdrop: model.dropout,
    embd_pdrop: model.dropout,
    attn_pdrop: model.dropout,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
  };
}

function llamaFields(model: ResolvedModel): JsonFields {
  return {
    hidden_size: model.n_embd,
    intermediate_size: model.n_inner,
    num_hidden_layers: model.n_layer,
    num_attention_heads: model.n_head,
    num_key_value_heads: model.n_kv_head,
    head_dim: model.head_dim,
    hidden_act: model.activation_function,
    max_position_embeddings: model.block_size,
    rms_norm_eps: model.norm_eps,
    rope_theta: model.rope_theta,
    ...rotaryFields(model),
    attention_bias: false,
    attention_dropout: model.dropout,
    pad_token_id: null,
  };
}

/** Version 4 reads `rope_scaling` beside `rope_theta`, version 5 `rope_parameters`. */
function rotaryFields({ rope_theta, rope_factor: factor }: ResolvedModel): JsonFields {
  if (factor === 1) return { rope_parameters: { rope_type: 'default', rope_theta } };
  const scaling = { rope_type: 'llama3', factor, ...LLAMA3_ROPE };
  return { rope_parameters: { ...scaling, rope_theta }, rope_scaling: scaling };
}

/** Qwen2 and Qwen3 window the layers from `max_window_layers` on. Here that is all of them, or none. */
function windowByLayer(model: ResolvedModel): JsonFields {
  const windowed = model.sliding_window > 0;
  const type = windowed ? 'sliding_attention' : 'full_attention';
  return {
    use_sliding_window: windowed,
    sliding_window: windowed ? model.sliding_window : null,
    max_window_layers: windowed ? 0 : model.n_layer,
    layer_types: new Array<string>(model.n_layer).fill(type),
  };
}
