import { describe, expect, it } from 'vitest';
import { PRESETS, defaultConfig, parseConfig, recomputeGranularity, savedConfig } from './index.ts';
import { configErrorOf } from './testing_configs.ts';

describe('recompute_granularity', () => {
  it('is full for recipes that only say activation_checkpointing, and is then not saved', () => {
    const old = parseConfig({ training: { activation_checkpointing: true } });
    expect(recomputeGranularity(old.training)).toBe('full');
    expect(savedConfig(old).training).not.toHaveProperty('recompute_granularity');
    expect(recomputeGranularity(defaultConfig().training)).toBe('none');
  });
  it('is saved and read back where it is selective', () => {
    const training = { activation_checkpointing: true, recompute_granularity: 'selective' };
    const saved = savedConfig(parseConfig({ training }));
    expect(saved.training).toMatchObject(training);
    expect(recomputeGranularity(parseConfig(saved).training)).toBe('selective');
  });
});

describe('parseConfig', () => {
  it('fills in defaults, and restores saved configurations', () => {
    expect(parseConfig({})).toEqual(defaultConfig());
    for (const { config } of PRESETS)
      expect(parseConfig(JSON.parse(JSON.stringify(config)))).toEqual(config);
  });
  it.each([
    ['null', 'not_a_config'],
    ['[]', 'not_a_config'],
    ['"x"', 'not_a_config'],
    ['{"version":2}', 'unknown_version'],
    ['{"version":null}', 'unknown_version'],
    ['{"version":"1"}', 'unknown_version'],
    ['{"model":[]}', 'bad_value'],
    ['{"model":{"n_layer":"4"}}', 'bad_value'],
    ['{"models":{}}', 'unknown_key'],
    ['{"__proto__":{"model":{"n_layer":9}}}', 'unknown_key'],
    ['{"model":{"__proto__":{"n_layer":9}}}', 'unknown_key'],
    ['{"model":{"toString":1}}', 'unknown_key'],
    ['{"sampling":{"prompts":[1]}}', 'bad_value'],
  ])('refuses %s as %s', (json, code) => {
    expect(configErrorOf(() => parseConfig(JSON.parse(json))).code).toBe(code);
    expect(Object.hasOwn(Object.prototype, 'model')).toBe(false);
  });
  it('names both versions when it refuses one', () => {
    expect(configErrorOf(() => parseConfig({ version: 7 })).message).toBe(
      'The configuration has version 7, and this page reads version 1.',
    );
  });
});
