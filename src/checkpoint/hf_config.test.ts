import { describe, expect, it } from 'vitest';
import { exportNotes, hfArchitecture, hfConfig } from './hf_config.ts';
import { modelFromHfConfig } from './hf_import.ts';
import { codeOf, LAYOUTS, SPECIAL, tinyModel } from './testing_states.ts';

const architecture = (name: string) => hfArchitecture(tinyModel(LAYOUTS[name] ?? {}).model);
/** Layouts that transformers has. */
const EXPORTED = Object.keys(LAYOUTS).filter((name) => !/gpt2 with (qk_norm|a window)/.test(name));
const llama = {
  model_type: 'llama',
  vocab_size: 32,
  hidden_size: 16,
  intermediate_size: 24,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  max_position_embeddings: 8,
};
const gpt2 = {
  model_type: 'gpt2',
  vocab_size: 32,
  n_positions: 8,
  n_embd: 16,
  n_layer: 2,
  n_head: 4,
};

describe('export', () => {
  it('selects the class that computes the model', () => {
    expect(EXPORTED.map(architecture)).toEqual([
      'GPT2LMHeadModel',
      'GPT2LMHeadModel',
      'GPT2LMHeadModel',
      'LlamaForCausalLM',
      'LlamaForCausalLM',
      'Qwen3ForCausalLM',
      'Qwen3ForCausalLM',
      'MistralForCausalLM',
      'GPT2LMHeadModel',
      'Qwen3ForCausalLM',
      'LlamaForCausalLM',
      'Qwen2ForCausalLM',
    ]);
  });
  it.each(['gpt2 with qk_norm', 'gpt2 with a window'])('refuses %s', (name) =>
    expect(codeOf(() => architecture(name))).toBe('no_equivalent'),
  );
  it('refuses gates that transformers does not have in this layout', () => {
    expect(
      codeOf(() =>
        hfArchitecture(tinyModel({ layout: 'llama', activation_function: 'gelu_new' }).model),
      ),
    ).toBe('no_equivalent');
    expect(
      codeOf(() =>
        hfArchitecture(tinyModel({ layout: 'gpt2', activation_function: 'silu' }).model),
      ),
    ).toBe('no_equivalent');
  });
  it('writes RoPE for versions 4 and 5, and a window for every layer of Qwen3', () => {
    const config = hfConfig(tinyModel(LAYOUTS['qwen3 with a window'] ?? {}).model, SPECIAL);
    expect(config).toMatchObject({
      model_type: 'qwen3',
      rope_theta: 10000,
      rope_parameters: { rope_type: 'default', rope_theta: 10000 },
      attention_bias: false,
      head_dim: 4,
      use_sliding_window: true,
      sliding_window: 4,
      max_window_layers: 0,
      layer_types: ['sliding_attention', 'sliding_attention'],
      bos_token_id: 10,
      eos_token_id: 10,
    });
  });
  it('notes that zero biases are written', () => {
    expect(exportNotes(tinyModel({ bias: false }).model)).toHaveLength(1);
    expect(exportNotes(tinyModel({}).model)).toEqual([]);
  });
});

describe('round trip through config.json', () => {
  it.each(EXPORTED)('preserves %s', (name) => {
    const change = LAYOUTS[name];
    const { model } = tinyModel({ dropout: 0.25, norm_eps: 3e-6, ...change });
    const back = modelFromHfConfig(
      JSON.parse(JSON.stringify(hfConfig(model, { bos_token_id: null, eos_token_id: null }))),
    );
    const bias = model.layout === 'gpt2';
    const rope_theta = bias ? 10000 : model.rope_theta;
    expect(back).toEqual({
      model: { ...model, bias, rope_theta },
      bos_token_id: null,
      eos_token_id: null,
      notes: [],
    });
  });
});

describe('configurations of other programs', () => {
  it('get the defaults of transformers', () => {
    expect(modelFromHfConfig(gpt2).model).toMatchObject({
      n_inner: 64,
      bias: true,
      tie_word_embeddings: true,
      dropout: 0.1,
      activation_function: 'gelu_new',
      vocab_size: 32,
    });
    expect(modelFromHfConfig(llama).model).toMatchObject({
      n_kv_head: 4,
      tie_word_embeddings: false,
      rope_theta: 10000,
      norm_eps: 1e-6,
      sliding_window: 0,
      qk_norm: false,
    });
    expect(
      modelFromHfConfig({ ...llama, model_type: 'mistral', num_attention_heads: 8 }).model,
    ).toMatchObject({ n_kv_head: 8, sliding_window: 4096 });
    expect(
      modelFromHfConfig({
        ...llama,
        model_type: 'mistral',
        num_key_value_heads: 2,
        sliding_window: null,
      }).model,
    ).toMatchObject({ n_kv_head: 2, sliding_window: 0 });
  });
  it('may have the theta of version 5, and several end tokens; the first one counts', () => {
    expect(
      modelFromHfConfig({
        ...llama,
        rope_parameters: { rope_type: 'default', rope_theta: 500 },
        eos_token_id: [7, 8],
      }),
    ).toMatchObject({ model: { rope_theta: 500 }, eos_token_id: 7 });
  });
  it('may have heads of their own width, biases as in Qwen2, and Llama 3 scaling', () => {
    expect(modelFromHfConfig({ ...llama, head_dim: 8 }).model.head_dim).toBe(8);
    const qwen3 = { ...llama, model_type: 'qwen3', num_key_value_heads: 4 };
    expect(modelFromHfConfig(qwen3).model).toMatchObject({ head_dim: 128, qk_norm: true });
    const qwen2 = { ...llama, model_type: 'qwen2', num_key_value_heads: 2 };
    expect(modelFromHfConfig(qwen2).model).toMatchObject({ qkv_bias: true, head_dim: 4 });
    const rope = { rope_type: 'llama3', factor: 32, low_freq_factor: 1, high_freq_factor: 4 };
    for (const key of ['rope_parameters', 'rope_scaling']) {
      const { model } = modelFromHfConfig({ ...llama, [key]: rope });
      expect(model).toMatchObject({ rope_factor: 32, rope_theta: 10000 });
    }
    expect(modelFromHfConfig({ ...gpt2, activation_function: 'gelu' }).model).toMatchObject({
      activation_function: 'gelu',
    });
  });
  it('have a long context cut, with a note', () => {
    const { model, notes } = modelFromHfConfig({ ...llama, max_position_embeddings: 131072 });
    expect(model.block_size).toBe(4096);
    expect(notes).toEqual(['The context was cut from 131072 to 4096 tokens.']);
  });
  it.each([
    ['a BERT', { model_type: 'bert' }],
    ['no type', {}],
    ['a method as activation', { ...gpt2, activation_function: 'constructor' }],
    ['scaled attention', { ...gpt2, scale_attn_by_inverse_layer_idx: true }],
    ['cross-attention', { ...gpt2, add_cross_attention: true }],
    ['a quantized model', { ...llama, quantization_config: {} }],
    ['attention biases', { ...llama, attention_bias: true }],
    ['scaled rotary positions', { ...llama, rope_scaling: { rope_type: 'yarn', factor: 8 } }],
    [
      'rotary positions scaled for another context',
      {
        ...llama,
        rope_parameters: {
          rope_type: 'llama3',
          factor: 8,
          original_max_position_embeddings: 4096,
        },
      },
    ],
    ['partial rotary positions', { ...llama, partial_rotary_factor: 0.5 }],
    ['heads of an odd width', { ...llama, head_dim: 7 }],
    [
      'mixed layers',
      {
        ...llama,
        model_type: 'qwen3',
        head_dim: 4,
        num_key_value_heads: 4,
        layer_types: ['full_attention', 'sliding_attention'],
      },
    ],
    ['too many layers', { ...llama, num_hidden_layers: 2 ** 30 }],
    ['a width that heads do not divide', { ...gpt2, n_head: 3 }],
    ['a width that key/value heads do not divide', { ...llama, num_key_value_heads: 3 }],
    ['a vocabulary of a billion', { ...llama, vocab_size: 1e9 }],
  ])('are refused for %s', (_name, json) =>
    expect(codeOf(() => modelFromHfConfig(json))).toBe('unsupported_model'),
  );
  it.each([
    ['text for a number', { ...llama, hidden_size: '16' }],
    ['a fraction of a layer', { ...gpt2, n_layer: 1.5 }],
    ['a negative id', { ...gpt2, eos_token_id: -1 }],
  ])('are damaged if they have %s', (_name, json) =>
    expect(codeOf(() => modelFromHfConfig(json))).toBe('bad_header'),
  );
});
