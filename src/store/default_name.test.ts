/** Names of runs that nobody named. */
import { describe, expect, it } from 'vitest';
import {
  defaultConfig,
  PRESETS,
  withField,
  type FieldPath,
  type FieldValue,
} from '../config/index.ts';
import { defaultName, uniqueName, type NamedRecipe } from './default_name.ts';
import { newRunName } from './new_run.ts';
import { createStores } from './stores.ts';
import { setField, takeConfig } from './form.ts';

const [names] = PRESETS;
const preset = names ?? { id: '', title: '', config: defaultConfig() };

const recipe = (...changes: readonly (readonly [FieldPath, FieldValue])[]): NamedRecipe => ({
  config: changes.reduce((config, [path, value]) => withField(config, path, value), preset.config),
  base: preset.config,
  preset: preset.id,
  text: null,
});

describe('the name of a run', () => {
  it('is the title of its preset', () => {
    expect(defaultName(recipe())).toBe(preset.title);
  });

  it('says what differs from the preset, in short words', () => {
    expect(defaultName(recipe(['training.learning_rate', 0.01]))).toBe(`${preset.title}, lr 0.01`);
    const { bias } = preset.config.model;
    const other = recipe(['training.optimizer', 'muon'], ['model.bias', !bias]);
    expect(defaultName(other)).toBe(`${preset.title}, ${bias ? 'no bias' : 'bias'}, muon`);
  });

  it('lists at most three differences', () => {
    const many = recipe(
      ['training.learning_rate', 0.01],
      ['training.batch_size', 7],
      ['training.max_iters', 77],
      ['model.dropout', 0.25],
      ['model.n_layer', 7],
    );
    const name = defaultName(many);
    expect(name).toMatch(/^[^,]+(, [^,]+){3}, and 2 more$/u);
  });

  it('leaves out what does not change what is learned', () => {
    const changed = recipe(['sampling.temperature', 0.3], ['runtime.backend', 'cpu']);
    expect(defaultName(changed)).toBe(preset.title);
  });

  it('is that of the text if it is the user’s own, or another one than the preset’s', () => {
    expect(defaultName(recipe(['data.corpus', 'kjv']))).toBe('Verses');
    const own = recipe(['data.corpus', 'own']);
    expect(defaultName(own)).toBe('Own text');
    const text = { name: 'fox.txt', bytes: new Uint8Array() };
    expect(defaultName({ ...own, text })).toBe('fox.txt');
  });

  it('gets a number if another run has it', () => {
    expect(uniqueName('Names', ['Names', 'Names (3)'])).toBe('Names (2)');
    expect(uniqueName('Names', ['Names', 'Names (2)'])).toBe('Names (3)');
    expect(uniqueName('Other', ['Names'])).toBe('Other');
  });

  it('is what the user typed, with a number if the current run has that name', () => {
    const stores = createStores();
    takeConfig(stores.form, preset.config, { preset: preset.id });
    setField(stores.form, 'training.learning_rate', 0.02);
    expect(newRunName(stores.form.getState(), stores)).toBe(`${preset.title}, lr 0.02`);
    stores.form.setState({ name: ' Mine ' });
    expect(newRunName(stores.form.getState(), stores)).toBe('Mine');
    stores.run.setState({ run: 'a', name: 'Mine' });
    expect(newRunName(stores.form.getState(), stores)).toBe('Mine (2)');
  });
});
