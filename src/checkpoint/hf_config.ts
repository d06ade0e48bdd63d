/**
 * config.json of transformers, written from a model of ours.
 *
 * | ours                          | transformers       |
 * |-------------------------------|--------------------|
 * | gpt2 layout                   | GPT2LMHeadModel    |
 * | llama layout                  | LlamaForCausalLM   |
 * | llama + qk_norm               | Qwen3ForCausalLM   |
 * | llama + sliding_window        | MistralForCausalLM |
 *
 * A GPT-2 without biases is written with biases of zero, which compute the same. What transformers
 * has no model for is saved under a model type of our own, so that it refuses the folder instead of
 * opening it and computing something else.
 */
import type { ResolvedModel } from '../config/index.ts';
import { CheckpointError } from './error.ts';

export type HfArchitecture =
  'GPT2LMHeadModel' | 'LlamaForCausalLM' | 'Qwen3ForCausalLM' | 'MistralForCausalLM';

/** Model type of folders that Terrarium alone opens. */
export const OWN_MODEL_TYPE = 'terrarium';

export interface SpecialTokens {
  bos_token_id: number | null;
  eos_token_id: number | null;
}

/**
 * The class of transformers that computes this model. Throws `no_equivalent` where there is none.
 */
export function hfArchitecture(model: ResolvedModel): HfArchitecture {
  const none = (what: string, hint: string) =>
    new CheckpointError(
      'no_equivalent',
      `No model in transformers has ${what}, so this one cannot be exported for it.`,
      `${hint} Terrarium's own zip keeps this model as it is.`,
    );
  switch (model.layout) {
    case 'gpt2':
      if (model.qk_norm)
        throw none(
          'the GPT-2 layout with QK-norm',
          'The Llama layout with QK-norm can be exported (as Qwen3).',
        );
      if (model.sliding_window > 0)
        throw none(
          'the GPT-2 layout with a sliding window',
          'The Llama layout with a sliding window can be exported (as Mistral).',
        );
      if (model.activation_function === 'silu')
        throw none('the GPT-2 layout with SwiGLU', 'GELU and relu squared can be exported.');
      return 'GPT2LMHeadModel';
    case 'llama':
      if (model.activation_function === 'gelu_new')
        throw none(
          'the Llama layout with a GELU gate as trained here',
          'SiLU and relu squared can be exported.',
        );
      if (model.qk_norm) return 'Qwen3ForCausalLM';
      return model.sliding_window > 0 ? 'MistralForCausalLM' : 'LlamaForCausalLM';
    default:
      return model.layout satisfies never;
  }
}

/**
 * config.json for `AutoModelForCausalLM`. `vocab_size` rows of the embedding; `eos` ends a document
 * and, as in GPT-2, begins one (null where the tokenizer has no such token). Throws
 * `no_equivalent`.
 */
export function hfConfig(
  model: ResolvedModel,
  vocab_size: number,
  eos: number | null,
  bos: number | null = eos,
): Record<string, unknown> {
  const architecture = hfArchitecture(model);
  const common = {
    architectures: [architecture],
    vocab_size,
    bos_token_id: bos,
    eos_token_id: eos,
    tie_word_embeddings: model.tie_word_embeddings,
    initializer_range: 0.02,
    use_cache: true,
    torch_dtype: 'float32',
    dtype: 'float32',
  };
  switch (architecture) {
    case 'GPT2LMHeadModel':
      return { ...common, model_type: 'gpt2', ...gpt2Fields(model) };
    case 'LlamaForCausalLM':
      return { ...common, model_type: 'llama', ...llamaFields(model), mlp_bias: false };
    case 'MistralForCausalLM':
      return {
        ...common,
        model_type: 'mistral',
        ...llamaFields(model),
        sliding_window: model.sliding_window,
      };
    case 'Qwen3ForCausalLM':
      return { ...common, model_type: 'qwen3', ...llamaFields(model), ...qwen3Window(model) };
    default:
      return architecture satisfies never;
  }
}

/** What was changed for the sake of transformers, as sentences for the page. */
export function exportNotes(model: ResolvedModel): string[] {
  return model.layout === 'gpt2' && !model.bias
    ? [
        'GPT-2 in transformers always has biases, so this model is written with biases of zero, which compute the same.',
      ]
    : [];
}

/** config.json of a folder that Terrarium alone opens. */
export const ownConfig = (
  model: ResolvedModel,
  eos: number | null,
  bos: number | null,
): Record<string, unknown> => ({
  model_type: OWN_MODEL_TYPE,
  architectures: ['TerrariumForCausalLM'],
  bos_token_id: bos,
  eos_token_id: eos,
  ...model,
});

function gpt2Fields(m: ResolvedModel): Record<string, unknown> {
  return {
    n_positions: m.block_size,
    n_embd: m.n_embd,
    n_layer: m.n_layer,
    n_head: m.n_head,
    n_inner: m.n_inner,
    activation_function: m.activation_function,
    layer_norm_epsilon: m.norm_eps,
    resid_pdrop: m.dropout,
    embd_pdrop: m.dropout,
    attn_pdrop: m.dropout,
    scale_attn_weights: true,
    scale_attn_by_inverse_layer_idx: false,
  };
}

/** Version 4 of transformers reads `rope_theta`, version 5 `rope_parameters`. */
function llamaFields(m: ResolvedModel): Record<string, unknown> {
  return {
    hidden_size: m.n_embd,
    intermediate_size: m.n_inner,
    num_hidden_layers: m.n_layer,
    num_attention_heads: m.n_head,
    num_key_value_heads: m.n_kv_head,
    head_dim: m.head_dim,
    hidden_act: m.activation_function,
    max_position_embeddings: m.block_size,
    rms_norm_eps: m.norm_eps,
    rope_theta: m.rope_theta,
    rope_parameters: { rope_type: 'default', rope_theta: m.rope_theta },
    attention_bias: false,
    attention_dropout: m.dropout,
    pad_token_id: null,
  };
}

/** Qwen3 windows the layers from `max_window_layers` on: all of them, or none. */
function qwen3Window(m: ResolvedModel): Record<string, unknown> {
  const windowed = m.sliding_window > 0;
  return {
    use_sliding_window: windowed,
    sliding_window: windowed ? m.sliding_window : null,
    max_window_layers: windowed ? 0 : m.n_layer,
    layer_types: new Array<string>(m.n_layer).fill(
      windowed ? 'sliding_attention' : 'full_attention',
    ),
  };
}
