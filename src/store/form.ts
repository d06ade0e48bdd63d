/** The form: configuration, text and tokenizer of the next run. */
import { createStore } from 'zustand/vanilla';
import {
  changedFields,
  defaultConfig,
  fieldsAfterLayout,
  getField,
  isAllowed,
  smallerFields,
  withField,
  type FieldPath,
  type FieldValue,
  type Preset,
  type RunConfig,
} from '../config/index.ts';
import type { OpenedFiles, OwnText, RestoredRun } from '../protocol/index.ts';
import { bytesKey, jsonKey } from './content_key.ts';
import type { RunState } from './run_state.ts';

export interface FormState {
  config: RunConfig;
  /** What `changed` is measured against: the chosen preset, or the defaults. */
  base: RunConfig;
  preset: string | null;
  name: string;
  text: OwnText | null;
  tokenizerJson: { name: string; json: string } | null;
  changed: ReadonlySet<FieldPath>;
  /** In a lesson, the fields that may be changed; null if this is none. */
  lesson: ReadonlySet<FieldPath> | null;
  /** `dataKey` of the text that the newest summary describes. */
  preparedKey: string | null;
}

/** The files that a configuration may need. */
type Opened = Pick<FormState, 'text' | 'tokenizerJson'>;

/** A key of everything that the preparation of the text depends on; files count by their content. */
export function dataKey(config: RunConfig, { text, tokenizerJson }: Opened): string {
  const usesJson = config.tokenizer.kind === 'imported' && tokenizerJson;
  return JSON.stringify([
    config.data,
    config.tokenizer,
    config.data.corpus === 'own' && text ? textKey(text) : null,
    usesJson ? jsonKey(tokenizerJson) : null,
  ]);
}

function textKey({ bytes, ...reading }: OwnText): unknown[] {
  return [reading, bytesKey(bytes)];
}

/** The files that the user opened, if the configuration names them. */
export const openedFiles = (
  { text, tokenizerJson }: FormState,
  { data, tokenizer }: RunConfig,
): OpenedFiles => ({
  text: data.corpus === 'own' ? (text ?? undefined) : undefined,
  tokenizer_json: tokenizer.kind === 'imported' ? tokenizerJson?.json : undefined,
});

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
      lesson: null,
      preparedKey: null,
    };
  });
export type FormStore = ReturnType<typeof createForm>;

/** Replaces the whole configuration: by a preset, an address, or that of a run. */
export function takeConfig(
  form: FormStore,
  config: RunConfig,
  options: { preset?: string; base?: RunConfig; name?: string } = {},
): void {
  const base = options.base ?? config;
  const { name = form.getState().name, preset = null } = options;
  const changed = new Set(changedFields(config, base));
  form.setState({ config, base, preset, changed, name });
}

/** Takes a preset. The backend stays as the user chose it: it belongs to the device. */
export function takePreset(form: FormStore, preset: Preset): void {
  const { backend } = form.getState().config.runtime;
  const config = withField(preset.config, 'runtime.backend', backend);
  takeConfig(form, config, { preset: preset.id, name: '' });
}

/**
 * Sets one field. Returns false, and changes nothing, if the value is out of the field's range or if
 * a lesson locks the field.
 */
export function setField(form: FormStore, path: FieldPath, value: FieldValue): boolean {
  if (!isAllowed(path, value)) return false;
  const { config, base, lesson } = form.getState();
  if (lesson && !lesson.has(path)) return false;
  const next = followLayout(withField(config, path, value), path);
  form.setState({ config: next, changed: new Set(changedFields(next, base)) });
  return true;
}

/** Makes the recipe smaller, for a device on which it would take too long. */
export function takeSmaller(form: FormStore): void {
  for (const [path, value] of smallerFields(form.getState().config)) setField(form, path, value);
}

export const resetField = (form: FormStore, path: FieldPath): boolean =>
  setField(form, path, getField(form.getState().base, path));

/** Options that the chosen layout does not have take the values that it does have. */
function followLayout(config: RunConfig, path: FieldPath): RunConfig {
  if (path !== 'model.layout') return config;
  return fieldsAfterLayout(config.model).reduce(
    (next, [field, value]) => withField(next, field, value),
    config,
  );
}

/** Takes the recipe, the text and the tokenizer of a run that was opened again. */
export function takeRestored(form: FormStore, config: RunConfig, restored: RestoredRun): void {
  const { recipe, text, tokenizer_json } = restored;
  const base = recipe?.base ?? config;
  const changed = new Set(changedFields(config, base));
  form.setState({ config, base, preset: recipe?.preset ?? null, changed, name: '' });
  if (text) form.setState({ text });
  if (tokenizer_json === null) return;
  const name = recipe?.tokenizer_name ?? 'tokenizer.json';
  form.setState({ tokenizerJson: { name, json: tokenizer_json } });
}

/** Fields in which the form's recipe differs from that of a run, as far as they change what it learns. */
export const recipeChanges = (config: RunConfig, run: RunConfig): FieldPath[] =>
  changedFields(config, run).filter(
    (path) => !path.startsWith('sampling.') && !path.startsWith('runtime.'),
  );

/** The form has another recipe than the run, or another file of the user. */
export function differsFromRun(
  { config, ...opened }: Pick<FormState, 'config' | 'text' | 'tokenizerJson'>,
  recipe: RunState['recipe'],
): boolean {
  if (!recipe) return false;
  if (recipeChanges(config, recipe.config).length > 0) return true;
  const usesFiles = config.data.corpus === 'own' || config.tokenizer.kind === 'imported';
  return usesFiles && dataKey(config, opened) !== recipe.dataKey;
}

/** A text of the user becomes the corpus. */
export function setText(form: FormStore, text: OwnText): void {
  form.setState({ text: { ...text, name: text.name.replace(LONE_SURROGATE, '\ufffd') } });
  setField(form, 'data.corpus', 'own');
}

/** Half of a surrogate pair, which no encoding of text can represent. */
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** A text that was typed or pasted, in UTF-8, which has no lone surrogates: they are counted. */
export function typedText(name: string, text: string): OwnText {
  const replaced = text.match(LONE_SURROGATE)?.length ?? 0;
  const typed: OwnText = { name, bytes: new TextEncoder().encode(text) };
  if (replaced > 0) typed.replaced = replaced;
  return typed;
}

/** Changes how the user's text is read, such as its column. */
export function readTextAs(
  form: FormStore,
  change: Partial<Pick<OwnText, 'column' | 'format' | 'keep_repeats'>>,
): void {
  const { text } = form.getState();
  if (!text) return;
  // A column belongs to the format that it was chosen for.
  const { column: _column, ...withoutColumn } = text;
  const kept = change.format ? withoutColumn : text;
  setText(form, { ...kept, ...change });
}

export function setTokenizerJson(form: FormStore, name: string, json: string): void {
  form.setState({ tokenizerJson: { name, json } });
  setField(form, 'tokenizer.kind', 'imported');
}
