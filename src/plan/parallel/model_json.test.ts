import { describe, expect, it } from 'vitest';
import { hfConfig } from '../../checkpoint/hf_config.ts';
import { countParameters } from '../parameters.ts';
import { modelFromJson, ModelJsonError, noteOnModel } from './model_json.ts';
import { PUBLISHED_MODELS } from './published.ts';
import { LAYOUTS } from './testing_models.ts';

const NO_TOKENS = { bos_token_id: null, eos_token_id: null };

describe('a config.json', () => {
  it.each(LAYOUTS)(
    'of %s as this page exports it is planned with as many parameters',
    (_name, model) => {
      const read = modelFromJson(JSON.stringify(hfConfig(model, NO_TOKENS)));
      // Exported GPT-2 always has biases.
      const exported = { ...model, bias: true };
      expect(countParameters(read)).toEqual(countParameters(exported));
      expect(read.block_size).toBe(model.block_size);
    },
  );

  it.each(PUBLISHED_MODELS.map(({ title, model }) => [title, model] as const))(
    'of %s may be larger than a page can train',
    (_title, model) => {
      const read = modelFromJson(JSON.stringify(hfConfig(model, NO_TOKENS)));
      expect(countParameters(read)).toEqual(countParameters(model));
    },
  );

  it('says so if its type is not known', () => {
    const file = (type: string) => JSON.stringify({ model_type: type, hidden_size: 64 });
    expect(noteOnModel(file('mamba'))).toContain('“mamba” is not known here');
    expect(noteOnModel('{"hidden_size":64}')).toContain('Its type is not known here');
    expect([noteOnModel(file('qwen3')), noteOnModel('{"n_embd":64}')]).toEqual(['', '']);
    expect(noteOnModel('{"model_type":"gptj","n_embd":64}')).toContain('is a GPT-2 of these sizes');
  });

  it('has the defaults of transformers where it leaves something out', () => {
    const model = modelFromJson(
      '{"model_type":"llama","hidden_size":64,"num_attention_heads":4,"num_hidden_layers":2,' +
        '"intermediate_size":128,"vocab_size":100}',
    );
    expect(model).toMatchObject({ n_kv_head: 4, head_dim: 16, tie_word_embeddings: false });
  });

  it.each(['gemma2', 'cohere', 'smollm3'])(
    'of %s has tied embeddings unless it says no',
    (type) => {
      const sizes = {
        ...{ model_type: type, hidden_size: 64, num_attention_heads: 4, num_hidden_layers: 2 },
        ...{ intermediate_size: 128, vocab_size: 100, num_experts: null },
      };
      const untied = { ...sizes, tie_word_embeddings: false };
      expect(modelFromJson(JSON.stringify(sizes)).tie_word_embeddings).toBe(true);
      expect(modelFromJson(JSON.stringify(untied)).tie_word_embeddings).toBe(false);
    },
  );
});

describe('the published models have their published sizes:', () => {
  it.each([
    ['gpt2', 124_439_808],
    ['gpt2_xl', 1_557_611_200],
    ['llama_2_7b', 6_738_415_616],
    ['llama_3_8b', 8_030_261_248],
    ['llama_3_70b', 70_553_706_496],
  ])('%s', (id, parameters) => {
    const found = PUBLISHED_MODELS.find((one) => one.id === id);
    expect(found && countParameters(found.model).total).toBe(parameters);
  });
});

describe('a file that cannot be planned is refused in a sentence:', () => {
  it.each([
    ['not JSON', 'hello', /is not a JSON object/],
    ['a list', '[1]', /is not a JSON object/],
    ['without sizes', '{"model_type":"llama"}', /does not state num_attention_heads/],
    ['with a size that is none', '{"n_embd":"wide"}', /n_embd is "wide" in this file/],
    [
      'with a huge size',
      '{"n_embd":1e30,"n_layer":1,"n_head":1,"vocab_size":1}',
      /n_embd is 1e\+30 in this file; a model has a whole number from 1/,
    ],
    ['a mixture of experts', '{"hidden_size":64,"num_local_experts":8}', /mixture of experts/],
    [
      'with heads that cannot be shared',
      '{"hidden_size":64,"num_attention_heads":4,"num_key_value_heads":3,"num_hidden_layers":2,' +
        '"intermediate_size":128,"vocab_size":100}',
      /4 heads cannot share 3 key\/value heads/,
    ],
    [
      'with a width that its heads do not divide',
      '{"hidden_size":65,"num_attention_heads":4,"num_hidden_layers":2,"vocab_size":100}',
      /^hidden_size 65 is not divisible by num_attention_heads 4/,
    ],
    [
      'of GPT-2 with a width that its heads do not divide',
      '{"n_embd":65,"n_head":4,"n_layer":2,"vocab_size":100}',
      /^n_embd 65 is not divisible by n_head 4/,
    ],
    ['too long', `{"a":"${'x'.repeat(1_000_001)}"}`, /too long/],
  ])('%s', (_what, text, message) => {
    expect(() => modelFromJson(text)).toThrow(ModelJsonError);
    expect(() => modelFromJson(text)).toThrow(message);
  });
});
