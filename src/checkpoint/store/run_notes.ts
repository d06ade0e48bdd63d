/**
 * Small files of a run's folder that bring the page back as it was: `view.json`, how the run was
 * looked at, and `recipe.json`, what its configuration was made from.
 */
import * as v from 'valibot';
import type { RunView } from '../../common/index.ts';
import { ConfigError, parseConfig, savedConfig, type RunConfig } from '../../config/index.ts';
import type { FileSystem } from './file_system.ts';
import { readSlots, writeSlots } from './slots.ts';

/** The recipe of a run as the form had it. */
export interface StoredRecipe {
  preset: string | null;
  /** What the form measures changes against. */
  base: RunConfig;
  tokenizer_name: string | null;
}

/** Longest view that is written or read, in characters of JSON. */
const MAX_VIEW = 256 * 2 ** 10;

const name = v.pipe(v.string(), v.maxLength(100));
const item = v.union([v.string(), v.pipe(v.number(), v.finite())]);
const View = v.pipe(
  v.record(name, v.union([item, v.boolean(), v.null(), v.pipe(v.array(item), v.maxLength(100))])),
  v.check((view) => Object.keys(view).length <= 100, 'at most 100 entries'),
  v.check((view) => JSON.stringify(view).length <= MAX_VIEW, 'a short view'),
);
const Recipe = v.object({
  preset: v.nullable(name),
  base: v.unknown(),
  tokenizer_name: v.nullable(v.pipe(v.string(), v.maxLength(400))),
});

/** Null unless the value is a view. */
export function parseView(value: unknown): RunView | null {
  const result = v.safeParse(View, value);
  return result.success ? result.output : null;
}

/** Null unless the value is a recipe whose configuration this version reads. */
export function parseRecipe(value: unknown): StoredRecipe | null {
  const result = v.safeParse(Recipe, value);
  if (!result.success) return null;
  const { base, ...recipe } = result.output;
  try {
    return { ...recipe, base: parseConfig(base) };
  } catch (error) {
    if (error instanceof ConfigError) return null;
    throw error;
  }
}

const viewPath = (folder: string): string => `${folder}/view.json`;
const recipePath = (folder: string): string => `${folder}/recipe.json`;

/** Does nothing for a view that is too large to be read back. */
export async function saveView(fs: FileSystem, folder: string, view: RunView): Promise<void> {
  const valid = parseView(view);
  if (valid) await writeSlots(fs, viewPath(folder), valid);
}

export const loadView = async (fs: FileSystem, folder: string): Promise<RunView | null> =>
  parseView(await readSlots(fs, viewPath(folder)));

export const saveRecipe = (fs: FileSystem, folder: string, recipe: StoredRecipe): Promise<void> =>
  writeSlots(fs, recipePath(folder), { ...recipe, base: savedConfig(recipe.base) });

export const loadRecipe = async (fs: FileSystem, folder: string): Promise<StoredRecipe | null> =>
  parseRecipe(await readSlots(fs, recipePath(folder)));
