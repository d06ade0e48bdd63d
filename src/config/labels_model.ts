/** Labels of the model's fields. */
import { NANOGPT, type Labels } from './label_types.ts';

export const MODEL_LABELS: Labels['model'] = {
  layout: {
    does: 'Model family; transformers opens the exported model under this name.',
    source: 'Radford et al. 2019; Touvron et al. 2023',
    options: {
      gpt2: 'GPT-2: learned positions, LayerNorm, GELU',
      llama: 'Llama: RoPE, RMSNorm, SwiGLU, grouped-query attention',
    },
  },
  n_layer: {
    does: 'Number of transformer blocks (attention and feed-forward).',
    source: `${NANOGPT}; num_hidden_layers in transformers`,
  },
  n_head: {
    does: 'Attention heads per block; n_embd is split evenly among them.',
    source: 'Vaswani et al. 2017',
  },
  n_kv_head: {
    does: 'Key and value heads, each shared by several query heads; fewer make the cache smaller.',
    source: 'Ainslie et al. 2023 (grouped-query attention)',
    zero: 'same as n_head',
  },
  n_embd: {
    does: 'Width of the model: the size of the vector that represents a token.',
    source: `${NANOGPT}; hidden_size in transformers`,
  },
  n_inner: {
    does: 'Width of the hidden layer in the feed-forward network.',
    source: 'GPT-2; intermediate_size in Llama',
    zero: '4 × n_embd (GPT-2), 8/3 × n_embd (Llama)',
  },
  block_size: {
    does: 'Context length: how many tokens the model sees at once.',
    source: `${NANOGPT}; n_positions in transformers`,
    unit: 'tokens',
  },
  bias: {
    does: 'Biases in linear layers and LayerNorm (GPT-2 layout). Without them, training is slightly faster.',
    source: NANOGPT,
  },
  tie_word_embeddings: {
    does: 'Uses one matrix for both the token embedding and the output layer.',
    source: 'Press and Wolf 2017',
  },
  dropout: {
    does: 'Fraction of activations zeroed during training, to reduce overfitting.',
    source: 'Srivastava et al. 2014',
  },
  activation_function: {
    does: 'Nonlinearity in the feed-forward network.',
    source: 'Hendrycks and Gimpel 2016; So et al. 2021; Shazeer 2020',
    options: {
      gelu_new: 'GELU, tanh approximation (GPT-2)',
      relu2: 'ReLU squared (either layout)',
      silu: 'SiLU; with the gate, SwiGLU (Llama)',
    },
  },
  qk_norm: {
    does: 'Normalizes queries and keys, which keeps attention logits small (Llama layout).',
    source: 'Henry et al. 2020',
  },
  sliding_window: {
    does: 'Each token attends only to this many preceding tokens (Llama layout).',
    source: 'Beltagy et al. 2020; Mistral 7B, 2023',
    unit: 'tokens',
    zero: 'the whole context',
  },
  rope_theta: {
    does: 'Base period of rotary position embeddings; larger values suit longer contexts (Llama layout).',
    source: 'Su et al. 2021 (RoPE)',
  },
  norm_eps: {
    does: 'Added to the variance in normalization layers, to avoid division by zero.',
    source: 'layer_norm_epsilon, rms_norm_eps in transformers',
  },
};
