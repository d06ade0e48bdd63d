import { describe, expect, it } from 'vitest';
import { LABELS, defaultConfig, fieldPaths, getField, labelOf, rangeOf } from './index.ts';

describe('fields and labels', () => {
  it('cover every field of the configuration', () => {
    const paths = Object.entries(defaultConfig()).flatMap(([section, fields]) =>
      typeof fields === 'object' ? Object.keys(fields).map((f) => `${section}.${f}`) : [],
    );
    expect([...fieldPaths()].sort()).toEqual(paths.sort());
    expect(
      Object.entries(LABELS)
        .flatMap(([s, fields]) => Object.keys(fields).map((f) => `${s}.${f}`))
        .sort(),
    ).toEqual(paths.sort());
  });
  it('have the ranges of the schema', () => {
    expect(rangeOf('model.n_layer')).toEqual({
      kind: 'number',
      integer: true,
      min: 1,
      max: 48,
      default: 4,
    });
    expect(rangeOf('training.learning_rate')).toEqual({
      kind: 'number',
      integer: false,
      min: 0,
      max: 10,
      default: 1e-3,
    });
    expect(rangeOf('sampling.prompts')).toEqual({
      kind: 'texts',
      max_items: 8,
      max_length: 2000,
      default: [''],
    });
    expect(rangeOf('runtime.backend')).toMatchObject({ kind: 'choice', default: 'auto' });
  });
  it.each(fieldPaths())(
    '%s has its default in its range, and a label with one line, a source and all options',
    (path) => {
      const range = rangeOf(path);
      const label = labelOf(path);
      expect(getField(defaultConfig(), path)).toEqual(range.default);
      expect(label.does.length).toBeGreaterThan(5);
      expect(label.does).not.toMatch(/\n/);
      expect(label.source).not.toBe('');
      if (range.kind === 'choice')
        expect(Object.keys(label.options ?? {}).sort()).toEqual([...range.options].sort());
    },
  );
});
