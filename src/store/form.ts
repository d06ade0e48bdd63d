/**
 * The form: the configuration that the next run will have, and the text and tokenizer that the
 * person brought.
 */
import { createStore } from 'zustand/vanilla';
import {
  changedFields,
  defaultConfig,
  getField,
  isAllowed,
  withField,
  type FieldPath,
  type FieldValue,
  type RunConfig,
} from '../config/index.ts';
import type { OwnText } from '../protocol/index.ts';

export interface FormState {
  config: RunConfig;
  /** What "changed" is measured against: the preset that was taken, or the defaults. */
  base: RunConfig;
  preset: string | null;
  name: string;
  text: OwnText | null;
  tokenizerJson: { name: string; json: string } | null;
  changed: ReadonlySet<FieldPath>;
  /** `dataKey` of the configuration that the newest summary of data speaks of. */
  preparedKey: string | null;
}

/** What the preparation of the text depends on. */
export const dataKey = (config: RunConfig, text: OwnText | null): string =>
  JSON.stringify([
    config.data,
    config.tokenizer,
    config.data.corpus === 'own' && text ? [text.name, text.bytes.byteLength, text.column] : null,
  ]);

export const createForm = () =>
  createStore<FormState>(() => {
    const config = defaultConfig();
    return {
      config,
      base: config,
      preset: null,
      name: '',
      text: null,
      tokenizerJson: null,
      changed: new Set(),
      preparedKey: null,
    };
  });
export type FormStore = ReturnType<typeof createForm>;

/** Takes a configuration as a whole: a preset, an address, or that of a run. */
export function takeConfig(
  form: FormStore,
  config: RunConfig,
  options: { preset?: string; base?: RunConfig; name?: string } = {},
): void {
  const base = options.base ?? config;
  form.setState({
    config,
    base,
    preset: options.preset ?? null,
    changed: new Set(changedFields(config, base)),
    ...(options.name === undefined ? {} : { name: options.name }),
  });
}

/** Sets one field; a value outside of the field's range is not taken, and false comes back. */
export function setField(form: FormStore, path: FieldPath, value: FieldValue): boolean {
  if (!isAllowed(path, value)) return false;
  const { config, base } = form.getState();
  const next = followLayout(withField(config, path, value), path);
  form.setState({ config: next, changed: new Set(changedFields(next, base)) });
  return true;
}

export const resetField = (form: FormStore, path: FieldPath): boolean =>
  setField(form, path, getField(form.getState().base, path));

/**
 * Choosing the layout takes along the activation that belongs to it, as both families have their
 * own.
 */
function followLayout(config: RunConfig, path: FieldPath): RunConfig {
  if (path !== 'model.layout' || config.model.activation_function === 'relu2') return config;
  return withField(
    config,
    'model.activation_function',
    config.model.layout === 'llama' ? 'silu' : 'gelu_new',
  );
}

export function setText(form: FormStore, text: OwnText): void {
  form.setState({ text });
  setField(form, 'data.corpus', 'own');
}

export function setTokenizerJson(form: FormStore, name: string, json: string): void {
  form.setState({ tokenizerJson: { name, json } });
  setField(form, 'tokenizer.kind', 'imported');
}
