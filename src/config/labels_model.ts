/** Labels of the model's fields. */
import { NANOGPT, type Labels } from './label_types.ts';

export const MODEL_LABELS: Labels['model'] = {
  layout: {
    name: 'Model family',
    names: { gpt2: 'GPT-2 (gpt2)', llama: 'Llama (llama)' },
    does: 'Model family; transformers opens the exported model under this name.',
    source: 'Radford et al. 2019; Touvron et al. 2023',
    options: {
      gpt2: 'GPT-2: learned positions, LayerNorm, GELU',
      llama: 'Llama: RoPE, RMSNorm, SwiGLU, grouped-query attention',
    },
  },
  n_layer: {
    name: 'Layers',
    help:
      'A block first lets every token look back at earlier ones (attention), then ' +
      'transforms each token by itself (feed-forward).',
    does: 'Number of transformer blocks (attention and feed-forward).',
    source: `${NANOGPT}; num_hidden_layers in transformers`,
  },
  n_head: {
    name: 'Attention heads',
    help:
      'A head is one way of looking back: each has its own idea of which earlier tokens ' +
      'matter.',
    does: 'Attention heads per block; n_embd is split evenly among them.',
    source: 'Vaswani et al. 2017',
  },
  n_kv_head: {
    name: 'Key/value heads',
    does: 'Key and value heads, each shared by several query heads; fewer make the cache smaller.',
    source: 'Ainslie et al. 2023 (grouped-query attention)',
    zero: 'same as n_head',
  },
  n_embd: {
    name: 'Width',
    help:
      'Every token becomes a list of this many numbers, and all layers work on such lists. ' +
      'Cost grows with its square.',
    does: 'Width of the model: the size of the vector that represents a token.',
    source: `${NANOGPT}; hidden_size in transformers`,
  },
  head_dim: {
    name: 'Head width',
    does: 'Width of each head, if not n_embd / n_head (Llama layout).',
    source: 'Qwen3, 2025',
    zero: 'n_embd / n_head',
  },
  n_inner: {
    name: 'Feed-forward width',
    does: 'Width of the hidden layer in the feed-forward network.',
    source: 'GPT-2; intermediate_size in Llama',
    zero: '4 × n_embd (GPT-2), 8/3 × n_embd (Llama)',
  },
  block_size: {
    name: 'Context length',
    help: 'Everything before this window is forgotten. Longer contexts cost more memory and time.',
    does: 'Context length: how many tokens the model sees at once.',
    source: `${NANOGPT}; n_positions in transformers`,
    unit: 'tokens',
  },
  bias: {
    name: 'Biases',
    does: 'Biases in linear layers and LayerNorm (GPT-2 layout). Without them, training is slightly faster.',
    source: NANOGPT,
  },
  qkv_bias: {
    name: 'Query/key/value biases',
    does: 'Biases of queries, keys and values (Llama layout).',
    source: 'Qwen2, 2024',
  },
  tie_word_embeddings: {
    name: 'Shared input and output embedding',
    help:
      'The embedding turns a token into numbers; the output layer turns numbers back into ' +
      'tokens.',
    does: 'Uses one matrix for both the token embedding and the output layer.',
    source: 'Press and Wolf 2017',
  },
  dropout: {
    name: 'Dropout',
    help:
      'Overfitting means learning the training text by heart; the validation loss then ' +
      'rises while the training loss still falls.',
    does: 'Fraction of activations zeroed during training, to reduce overfitting.',
    source: 'Srivastava et al. 2014',
  },
  activation_function: {
    name: 'Activation',
    names: {
      gelu_new: 'GELU (gelu_new)',
      gelu: 'Exact GELU (gelu)',
      relu2: 'ReLU² (relu2)',
      silu: 'SiLU (silu)',
    },
    does: 'Nonlinearity in the feed-forward network.',
    source: 'Hendrycks and Gimpel 2016; So et al. 2021; Shazeer 2020',
    options: {
      gelu_new: 'GELU, tanh approximation (GPT-2)',
      gelu: 'GELU with the error function',
      relu2: 'ReLU squared (either layout)',
      silu: 'SiLU; with the gate, SwiGLU (Llama)',
    },
  },
  qk_norm: {
    name: 'Query/key normalization',
    does: 'Normalizes queries and keys, which keeps attention logits small (Llama layout).',
    source: 'Henry et al. 2020',
  },
  sliding_window: {
    name: 'Sliding window',
    does: 'Each token attends only to this many preceding tokens (Llama layout).',
    source: 'Beltagy et al. 2020; Mistral 7B, 2023',
    unit: 'tokens',
    zero: 'the whole context',
  },
  rope_theta: {
    name: 'RoPE base',
    does: 'Base period of rotary position embeddings; larger values suit longer contexts (Llama layout).',
    source: 'Su et al. 2021 (RoPE)',
  },
  rope_factor: {
    name: 'RoPE scaling',
    does: 'Slows low frequencies of RoPE by this factor (Llama layout); 1 is none.',
    source: 'Llama 3.1, 2024',
  },
  norm_eps: {
    name: 'Normalization epsilon',
    does: 'Added to the variance in normalization layers, to avoid division by zero.',
    source: 'layer_norm_epsilon, rms_norm_eps in transformers',
  },
};
