import { describe, expect, it } from 'vitest';
import {
  changedFields,
  checkConfig,
  decodeConfig,
  defaultConfig,
  encodeConfig,
  encodeLesson,
  hasConfig,
  readAddress,
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
    ['?training.max_iters=1.000', 'bad_value', '1.000'],
    ['?training.max_iters=1,000', 'bad_value', '1,000'],
    ['?training.learning_rate=0,001', 'bad_value', '0,001'],
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
  it.each(wrong)('%s: the rest of the address is kept, and the key is named', (search, code) => {
    const rest = '&training.batch_size=7&headless=1';
    const { config, problems, clean } = readAddress(search + rest);
    expect(problems.map((problem) => problem.code)).toEqual([code]);
    if (code === 'unknown_version') return;
    expect(config).toEqual(withFields({ 'training.batch_size': 7 }));
    expect(clean).toBe('?training.batch_size=7&headless=1');
  });
  it('is read without the keys that others append to a link', () => {
    const tracked =
      '?fbclid=1&utm_source=a&preset=names&gclid=2&UTM_Medium=b&model.n_layer=1&ref=x';
    const { config, preset, problems, clean } = readAddress(tracked);
    expect(problems).toEqual([]);
    expect(preset?.id).toBe('names');
    expect(config).toEqual(withFields({ 'model.n_layer': 1 }, presetById('names').config));
    expect(clean).toBe('?preset=names&model.n_layer=1');
    expect(readAddress('?fbclid=1')).toMatchObject({ given: false, problems: [], clean: '' });
  });
  it('is read in about a second, however many keys are wrong', () => {
    const keys = Array.from({ length: 5000 }, (_, i) => `model.x${i}=1`).join('&');
    const started = performance.now();
    expect(readAddress(`?${keys}`).problems).toHaveLength(5000);
    expect(performance.now() - started).toBeLessThan(2000);
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

describe('the address of a lesson', () => {
  const names = presetById('names');

  it('opens the fields that it names', () => {
    const address = readAddress('?preset=names&lesson=1&training.learning_rate=0.01');
    expect(address.lesson).toEqual(['training.learning_rate']);
    expect(address.config.training.learning_rate).toBe(0.01);
    expect(readAddress('?preset=names&training.learning_rate=0.01').lesson).toBeNull();
    expect(readAddress('?preset=names&lesson=1').lesson).toEqual([]);
    expect(readAddress('?lesson=1&sampling.prompts.none=1').lesson).toEqual(['sampling.prompts']);
  });
  it('carries a recipe that differs from its preset in open and in locked fields', () => {
    const config = withFields({ 'model.n_layer': 3, 'training.learning_rate': 0.02 }, names.config);
    const link = encodeLesson(config, ['training.learning_rate', 'training.max_iters'], names);
    const address = readAddress(link);
    expect(address.problems).toEqual([]);
    expect(address.config).toEqual(config);
    expect(address.lesson).toEqual(['training.learning_rate', 'training.max_iters']);
    const own = encodeLesson(config, [], null);
    expect(readAddress(own)).toMatchObject({ config, lesson: [], preset: null });
  });
  it('names what is malformed, and opens the other fields', () => {
    const address = readAddress('?lesson=1&training.learning_rate=x&model.n_layer=3&locked=nope');
    expect(address.lesson).toEqual(['model.n_layer']);
    expect(address.problems.map((problem) => problem.field)).toEqual([
      'training.learning_rate',
      'nope',
    ]);
    const unclear = readAddress('?lesson=yes&model.n_layer=3');
    expect(unclear.lesson).toBeNull();
    expect(unclear.problems.map((problem) => problem.field)).toEqual(['lesson']);
    expect(unclear.config.model.n_layer).toBe(3);
  });
});
