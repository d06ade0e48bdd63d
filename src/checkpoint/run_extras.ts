/**
 * What an exported run has beside its checkpoint, so that it comes back whole: samples, view, recipe,
 * the user's own text, and the best checkpoint in a folder `best/`. transformers ignores all of it.
 * Anything that is missing or not valid is left out; nothing here makes an import fail.
 */
import type { OwnText, RunView, Sample } from '../common/index.ts';
import { savedConfig } from '../config/index.ts';
import { CheckpointError } from './error.ts';
import { findFolder, type Files } from './folder.ts';
import { encodeJson, parseJson } from './json.ts';
import { EVALUATIONS, ROLLOUTS, TRAINING_VOTES, VOTES } from './record_lines.ts';
import { MAX_SAMPLES_FILE, parseSamples, readSampleLines } from './sample_lines.ts';
import { parseText, textInfo } from './saved_text.ts';
import { parseRecipe, parseView, type StoredRecipe } from './store/run_notes.ts';

const EXTRAS = {
  samples: 'samples.jsonl',
  view: 'view.json',
  recipe: 'recipe.json',
  text: 'text.bin',
  textInfo: 'text.json',
} as const;
const BEST = 'best/';
/** Records, whose files are read when the run has a place in storage. */
const RECORDS: readonly string[] = [VOTES, TRAINING_VOTES, ROLLOUTS, EVALUATIONS].map(
  ({ file }) => file,
);

/** What is written. */
export interface RunExtras {
  /** Content of samples.jsonl. */
  samples: string;
  view: RunView | null;
  recipe: StoredRecipe | null;
  text: OwnText | null;
  /** Files of the best checkpoint, unless it is the exported one. */
  best: Files | null;
  /** votes.jsonl and the like, by name. */
  records: Files;
}

/** What was read. */
export interface BroughtRun {
  samples: Sample[];
  view: RunView | null;
  recipe: StoredRecipe | null;
  text: OwnText | null;
  best: Files | null;
  records: Files;
}

/** The files beside those of `writeCheckpoint`. */
export function extraFiles(extras: RunExtras): Map<string, Uint8Array> {
  const { samples, view, recipe, text, best } = extras;
  const files = new Map<string, Uint8Array>(extras.records);
  if (samples !== '') files.set(EXTRAS.samples, new TextEncoder().encode(samples));
  if (view) files.set(EXTRAS.view, encodeJson(view));
  if (recipe) {
    const base = savedConfig(recipe.base);
    files.set(EXTRAS.recipe, encodeJson({ ...recipe, base }));
  }
  if (text) {
    files.set(EXTRAS.textInfo, encodeJson(textInfo(text)));
    files.set(EXTRAS.text, text.bytes);
  }
  for (const [path, bytes] of best ?? []) files.set(BEST + path, bytes);
  return files;
}

/**
 * Splits the files of an export: `checkpoint` is for `readCheckpoint`. `run` is null for a folder
 * that has nothing beside its checkpoint. Throws what `findFolder` throws.
 */
export function splitExport(all: Files): { checkpoint: Files; run: BroughtRun | null } {
  const files = findFolder(all);
  const checkpoint = new Map<string, Uint8Array>();
  const best = new Map<string, Uint8Array>();
  const extra = new Map<string, Uint8Array>();
  const records = new Map<string, Uint8Array>();
  const names: readonly string[] = Object.values(EXTRAS);
  for (const [path, bytes] of files) {
    if (path.startsWith(BEST)) best.set(path.slice(BEST.length), bytes);
    else if (RECORDS.includes(path)) records.set(path, bytes);
    else if (names.includes(path)) extra.set(path, bytes);
    else checkpoint.set(path, bytes);
  }
  if (best.size + extra.size + records.size === 0) return { checkpoint, run: null };
  const run = {
    samples: readSamples(extra),
    view: parseView(readJson(extra, EXTRAS.view)),
    recipe: parseRecipe(readJson(extra, EXTRAS.recipe)),
    text: readText(extra),
    best: best.size > 0 ? best : null,
    records,
  };
  return { checkpoint, run };
}

function readSamples(files: Files): Sample[] {
  const bytes = files.get(EXTRAS.samples);
  if (!bytes || bytes.length > MAX_SAMPLES_FILE) return [];
  return parseSamples(readSampleLines(new TextDecoder().decode(bytes)));
}

function readText(files: Files): OwnText | null {
  const bytes = files.get(EXTRAS.text);
  return bytes ? parseText(readJson(files, EXTRAS.textInfo), bytes) : null;
}

function readJson(files: Files, path: string): unknown {
  const bytes = files.get(path);
  if (!bytes) return null;
  try {
    return parseJson(bytes, path);
  } catch (error) {
    if (error instanceof CheckpointError) return null;
    throw error;
  }
}
