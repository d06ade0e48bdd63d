/**
 * Reads the address of the page: what can be used is used, and every problem is reported.
 *
 * A preset may come with fields that change it. Lists repeat their key. Keys in PAGE_KEYS belong to
 * the page, and tracking keys to others; both are ignored.
 *
 * `lesson=1` makes the recipe a lesson: a student may change the fields that the address names, and
 * no others. `locked=model.n_layer` names fields whose values the address gives, and which stay
 * locked.
 */
import {
  ConfigError,
  MAX_CONFIG_LENGTH,
  badValue,
  duplicateKey,
  tooLong,
  unknownKey,
} from './errors.ts';
import {
  SECTIONS,
  fieldPaths,
  isFieldPath,
  rangeOf,
  splitPath,
  type FieldPath,
  type FieldValue,
} from './fields.ts';
import { fieldsAfterLayout } from './layout.ts';
import { checkVersion, isAllowed, parseConfig, withField } from './parse.ts';
import { PRESETS, type Preset } from './presets.ts';
import { defaultConfig, type RunConfig } from './schema.ts';
import { isTrackingKey } from './tracking.ts';

/** Keys of the address that say how the page starts, and are not part of the configuration. */
const PAGE_KEYS: readonly string[] = ['headless', 'autostart', 'recipe'];

/** `sampling.prompts.none=1` is an empty list, since a list without any key has its default. */
export const EMPTY_LIST = '.none';

export interface Address {
  config: RunConfig;
  /** The preset that the address names, which its fields may have changed; null if none. */
  preset: Preset | null;
  /** Whether the address says anything about the configuration. */
  given: boolean;
  /** The fields that a student may change, or null if this is no lesson. */
  lesson: readonly FieldPath[] | null;
  /** What could not be used, each with the key at fault. */
  problems: readonly ConfigError[];
  /** The query without what could not be used and without tracking keys; '' or with its `?`. */
  clean: string;
}

/** Reads a query, with or without `?`. Never throws. */
export function readAddress(search: string): Address {
  const reader = new AddressReader();
  if (search.length > MAX_CONFIG_LENGTH) reader.problems.push(tooLong());
  else reader.read(new URLSearchParams(search));
  return reader.address();
}

/** Further unknown keys get no hint with the name that was probably meant. */
const MAX_HINTS = 3;

/** Fields by section, as they are read from the address. */
type Sections = Record<string, Record<string, FieldValue>>;

class AddressReader {
  readonly problems: ConfigError[] = [];
  readonly #clean = new URLSearchParams();
  readonly #named = new Set<FieldPath>();
  readonly #locked = new Set<FieldPath>();
  #sections: Sections = {};
  #preset: Preset | null = null;
  #given = false;
  #isLesson = false;

  read(query: URLSearchParams): void {
    // Another version may mean something else by the same fields.
    if (!this.#use(query, 'v', () => readVersion(query))) return;
    this.#use(query, 'preset', () => {
      this.#preset = readPreset(query);
      this.#given ||= query.has('preset');
    });
    for (const key of new Set(query.keys())) {
      if (key === 'v' || key === 'preset' || isTrackingKey(key)) continue;
      if (key === 'locked') for (const path of query.getAll(key)) this.#lock(path);
      else this.#use(query, key, () => this.#readKey(query, key));
    }
  }

  #lock(path: string): void {
    this.#use(new URLSearchParams({ locked: path }), 'locked', () =>
      this.#locked.add(this.#knownPath(path)),
    );
  }

  address(): Address {
    const query = this.#clean.toString();
    return {
      config: this.#config(),
      preset: this.#preset,
      given: this.#given,
      lesson: this.#isLesson ? [...this.#named].filter((path) => !this.#locked.has(path)) : null,
      problems: this.problems,
      clean: query ? `?${query}` : '',
    };
  }

  #config(): RunConfig {
    const base = this.#preset?.config ?? defaultConfig();
    const sections: Sections = {};
    for (const section of SECTIONS) sections[section] = { ...base[section] };
    for (const path of this.#named) {
      const { section, field } = splitPath(path);
      const value = this.#sections[section]?.[field];
      if (value !== undefined) setIn(sections, path, value);
    }
    const config = parseConfig(sections);
    return this.#named.has('model.layout') ? this.#followLayout(config) : config;
  }

  /** Fields that the address leaves out follow its layout: a Llama has SiLU unless it says otherwise. */
  #followLayout(config: RunConfig): RunConfig {
    return fieldsAfterLayout(config.model)
      .filter(([path]) => !this.#named.has(path))
      .reduce((next, [path, value]) => withField(next, path, value), config);
  }

  /** Reads a key, and keeps it in the clean query unless that fails. Returns whether it is fine. */
  #use(query: URLSearchParams, key: string, read: () => void): boolean {
    try {
      read();
      for (const value of query.getAll(key)) this.#clean.append(key, value);
      return true;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.problems.push(error);
      return false;
    }
  }

  #readKey(query: URLSearchParams, key: string): void {
    if (PAGE_KEYS.includes(key)) return;
    if (key === 'lesson') {
      this.#isLesson = readLesson(query);
      this.#given = true;
      return;
    }
    const emptied = emptiedList(key);
    if (emptied) {
      if (query.has(emptied))
        throw duplicateKey(emptied, `values for ${emptied}, and that it is empty`);
      this.#set(emptied, []);
    } else {
      const path = this.#knownPath(key);
      this.#set(path, readField(path, query.getAll(key)));
    }
  }

  #knownPath(key: string): FieldPath {
    if (isFieldPath(key)) return key;
    // Looking for the name that was meant takes time, and nobody reads so many hints.
    throw unknownKey(key, this.problems.length < MAX_HINTS ? fieldPaths() : []);
  }

  #set(path: FieldPath, value: FieldValue): void {
    setIn(this.#sections, path, value);
    this.#named.add(path);
    this.#given = true;
  }
}

function readVersion(query: URLSearchParams): void {
  const versions = query.getAll('v');
  if (versions.length > 1) throw duplicateKey('v');
  const [version] = versions;
  if (version !== undefined) checkVersion(readNumber(version));
}

function readPreset(query: URLSearchParams): Preset | null {
  const ids = query.getAll('preset');
  if (ids.length > 1) throw duplicateKey('preset');
  const [id] = ids;
  if (id === undefined) return null;
  const preset = PRESETS.find((one) => one.id === id);
  if (preset) return preset;
  throw new ConfigError(
    'unknown_preset',
    `There is no preset ${JSON.stringify(id.slice(0, 40))}.`,
    `The presets are ${PRESETS.map((one) => one.id).join(', ')}.`,
    'preset',
  );
}

function readLesson(query: URLSearchParams): boolean {
  const values = query.getAll('lesson');
  if (values.length > 1) throw duplicateKey('lesson');
  const [value = ''] = values;
  if (value === '1' || value === '0') return value === '1';
  throw new ConfigError(
    'bad_value',
    `lesson cannot be ${JSON.stringify(value.slice(0, 40))}.`,
    'It is 1 for a lesson.',
    'lesson',
  );
}

/** Reads the value of a field from the texts that the address gives for it. */
function readField(path: FieldPath, texts: readonly string[]): FieldValue {
  const value = readValue(path, texts);
  if (!isAllowed(path, value)) throw badValue(path, value);
  return value;
}

/** Text that the field's type does not read stays text, which `isAllowed` then refuses. */
function readValue(path: FieldPath, texts: readonly string[]): FieldValue {
  const range = rangeOf(path);
  if (range.kind === 'texts') return [...texts];
  if (texts.length > 1) throw duplicateKey(path);
  const [text = ''] = texts;
  switch (range.kind) {
    case 'number':
      // Some write a thousand as 1.000, so a point in a whole number is refused.
      return range.integer && text.includes('.') ? text : readNumber(text);
    case 'flag':
      return readFlag(text);
    case 'choice':
      return text;
    default:
      return range satisfies never;
  }
}

/** Accepts decimal notation only: `Number` would also read "", "0x10" and " 1 ". */
const readNumber = (text: string): number | string =>
  /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;

function readFlag(text: string): boolean | string {
  if (text === 'true') return true;
  return text === 'false' ? false : text;
}

/** The list that a key such as `sampling.prompts.none` says is empty. */
function emptiedList(key: string): FieldPath | null {
  if (!key.endsWith(EMPTY_LIST)) return null;
  const path = key.slice(0, -EMPTY_LIST.length);
  return isFieldPath(path) && rangeOf(path).kind === 'texts' ? path : null;
}

function setIn(sections: Sections, path: FieldPath, value: FieldValue): void {
  const { section, field } = splitPath(path);
  sections[section] = { ...sections[section], [field]: value };
}
