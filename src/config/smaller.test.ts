import { describe, expect, it } from 'vitest';
import { changedFields, checkConfig, defaultConfig, PRESETS } from './index.ts';
import { smallerConfig } from './smaller.ts';

const preset = (id: string) => PRESETS.find((one) => one.id === id)?.config ?? defaultConfig();

describe('the smaller recipe', () => {
  it("of nanoGPT's character preset is nanoGPT's for a computer without a GPU", () => {
    const smaller = smallerConfig(preset('novel_char'));
    expect(smaller?.model).toMatchObject({
      n_layer: 4,
      n_head: 4,
      n_embd: 128,
      block_size: 64,
      dropout: 0,
    });
    expect(smaller?.training).toMatchObject({
      batch_size: 12,
      max_iters: 2000,
      lr_decay_iters: 2000,
      eval_iters: 20,
    });
  });

  it('is none of a recipe that is as small', () => {
    expect(smallerConfig(smallerConfig(preset('novel_char')) ?? defaultConfig())).toBeNull();
  });

  it.each(PRESETS.map(({ id, config }) => [id, config] as const))(
    'of %s can run, and keeps its text and layout',
    (_id, config) => {
      const smaller = smallerConfig(config) ?? config;
      expect(checkConfig(smaller)).toEqual([]);
      const changed = changedFields(smaller, config);
      expect(changed.filter((path) => !/^(model|training)\./u.test(path))).toEqual([]);
      expect(smaller.model.layout).toBe(config.model.layout);
    },
  );

  it('keeps the heads of a narrow model, and shares keys and values evenly in a wide one', () => {
    const narrow = defaultConfig();
    Object.assign(narrow.model, { n_embd: 90, n_head: 6, n_layer: 8 });
    expect(smallerConfig(narrow)?.model).toMatchObject({ n_embd: 90, n_head: 6, n_layer: 4 });
    const odd = defaultConfig();
    Object.assign(odd.model, { n_embd: 192, n_head: 3 });
    expect(smallerConfig(odd)?.model).toMatchObject({ n_embd: 128, n_head: 4 });
    const grouped = defaultConfig();
    Object.assign(grouped.model, { layout: 'llama', n_embd: 192, n_head: 6, n_kv_head: 3 });
    expect(smallerConfig(grouped)?.model).toMatchObject({ n_head: 4, n_kv_head: 0 });
  });
});
