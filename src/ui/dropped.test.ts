/** What dropped files are. */
import { describe, expect, it } from 'vitest';
import { classify } from './dropped.ts';

const named = (...names: string[]): File[] => names.map((name) => new File(['x'], name));
const kindOf = (...names: string[]): string => classify(named(...names)).kind;

describe('dropped files', () => {
  it('are a model if one of them comes with models only, however they come', () => {
    expect(kindOf('run.zip')).toBe('model');
    expect(kindOf('README.md', 'config.json', 'tokenizer.json', 'model.safetensors')).toBe('model');
    expect(kindOf('config.json', 'pytorch_model.bin', 'tokenizer.json')).toBe('model');
    expect(kindOf('pytorch_model.bin.index.json', 'vocab.json', 'merges.txt')).toBe('model');
    expect(kindOf('config.json')).toBe('model');
    expect(kindOf('weights.PT')).toBe('model');
  });

  it('are a tokenizer, alone or among its other files', () => {
    for (const name of ['tokenizer.json', 'tokenizer (1).json', '16_tokenizer_257.json'])
      expect(kindOf(name), name).toBe('tokenizer');
    expect(kindOf('tokenizer_config.json')).toBe('texts');
    expect(classify(named('special_tokens_map.json', 'tokenizer.json'))).toMatchObject({
      kind: 'tokenizer',
      file: { name: 'tokenizer.json' },
    });
  });

  it('are all texts otherwise, without files that the system made', () => {
    const dropped = classify(named('b.txt', '.DS_Store', 'a.csv', 'Thumbs.db', 'notes'));
    expect(dropped).toMatchObject({
      kind: 'texts',
      files: [{ name: 'b.txt' }, { name: 'a.csv' }, { name: 'notes' }],
    });
    expect(kindOf('.DS_Store')).toBe('nothing');
    expect(kindOf()).toBe('nothing');
  });
});
