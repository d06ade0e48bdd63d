import { describe, expect, it } from 'vitest';
import {
  changedFields,
  checkConfig,
  decodeConfig,
  defaultConfig,
  encodeConfig,
  hasConfig,
  withField,
} from './index.ts';
import { configErrorOf, presetById, withFields } from './testing_configs.ts';

describe('the address of a configuration', () => {
  it('lists only what differs from the defaults', () => {
    expect(encodeConfig(defaultConfig())).toBe('?v=1');
    expect(encodeConfig(withFields({ 'model.n_layer': 6, 'model.bias': false }))).toBe(
      '?v=1&model.n_layer=6&model.bias=false',
    );
  });
  it('restores every value, including unusual characters and an empty list of prompts', () => {
    const config = withFields({
      'training.epsilon': 1e-12,
      'training.max_tokens': Number.MAX_SAFE_INTEGER,
      'runtime.backend': 'wasm',
    });
    for (const prompts of [[], ['', ''], ['a&b=c+d e%20#?', '\u{1f600}\n']]) {
      const withPrompts = withField(config, 'sampling.prompts', prompts);
      expect(decodeConfig(encodeConfig(withPrompts))).toEqual(withPrompts);
    }
  });
  it('may change a preset, and ignores keys of the page', () => {
    const config = decodeConfig('?preset=names&model.n_layer=1&headless=1&autostart=1');
    expect(changedFields(config, presetById('names').config)).toEqual(['model.n_layer']);
    expect(hasConfig('?headless=1')).toBe(false);
    expect(hasConfig('?preset=names')).toBe(true);
    expect(decodeConfig('')).toEqual(defaultConfig());
  });
  it('lets the fields that it leaves out follow its layout', () => {
    const llama = decodeConfig('?model.layout=llama');
    expect(llama.model.activation_function).toBe('silu');
    expect(checkConfig(llama)).toEqual([]);
    const gpt2 = decodeConfig('?preset=small_llama&model.layout=gpt2');
    expect(gpt2.model).toMatchObject({ activation_function: 'gelu_new', n_kv_head: 0 });
    expect(checkConfig(gpt2)).toEqual([]);
    const contradiction = decodeConfig('?model.layout=llama&model.activation_function=gelu_new');
    expect(contradiction.model.activation_function).toBe('gelu_new');
    expect(decodeConfig(encodeConfig(contradiction))).toEqual(contradiction);
  });
  const wrong: [string, string, string][] = [
    ['?v=2', 'unknown_version', 'version 2'],
    ['?v=', 'unknown_version', 'version ""'],
    ['?preset=nope', 'unknown_preset', 'nope'],
    ['?model.n_layers=6', 'unknown_key', 'model.n_layers'],
    ['?n_layer=6', 'unknown_key', 'n_layer'],
    ['?__proto__.x=1', 'unknown_key', '__proto__'],
    ['?model.__proto__=1', 'unknown_key', '__proto__'],
    ['?model.constructor=1', 'unknown_key', 'constructor'],
    ['?model.n_layer=', 'bad_value', 'model.n_layer'],
    ['?model.n_layer=2.5', 'bad_value', '2.5'],
    ['?model.n_layer=0x10', 'bad_value', '0x10'],
    ['?model.n_layer=999', 'bad_value', '999'],
    ['?model.bias=yes', 'bad_value', 'yes'],
    ['?model.layout=bert', 'bad_value', 'bert'],
    ['?model.n_layer=1&model.n_layer=2', 'duplicate_key', 'model.n_layer'],
    ['?training.learning_rate=NaN', 'bad_value', 'NaN'],
    ['?training.learning_rate=1e999', 'bad_value', 'Infinity'],
  ];
  it('is not read beyond 100,000 characters', () => {
    expect(configErrorOf(() => decodeConfig(`?x=${'y'.repeat(100_001)}`)).code).toBe('too_long');
  });
  it.each(wrong)('%s is refused as %s', (search, code, mentions) => {
    const error = configErrorOf(() => decodeConfig(search));
    expect(error.code).toBe(code);
    expect(error.message).toContain(mentions);
  });
  it('gets a hint with the name that was probably meant', () => {
    expect(configErrorOf(() => decodeConfig('?model.n_layers=6')).hint).toBe(
      'Did you mean model.n_layer?',
    );
    expect(configErrorOf(() => decodeConfig('?n_layer=6')).hint).toBe(
      'Did you mean model.n_layer?',
    );
  });
});
