/** What a run that is opened again brings back to the page, and what an import brings with it. */
import {
  CheckpointError,
  readCheckpoint,
  readRecords,
  splitExport,
  TRAINING_VOTES,
  type BroughtRun,
  type Files,
  type OpenRun,
  type ReadState,
} from '../checkpoint/index.ts';
import type { OwnText, Vote } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import type { RestoredRun } from '../protocol/index.ts';

/** Text and tokenizer of the run, as far as the user brought them. */
interface Sources {
  config: RunConfig;
  own: OwnText | null;
  tokenizer: Uint8Array;
}

/** What storage has of the run, up to the step that it continues from. */
export async function restoredRun(storage: OpenRun, sources: Sources): Promise<RestoredRun> {
  return {
    samples: await storage.samples.read(),
    view: await storage.loadView(),
    recipe: await storage.loadRecipe(),
    ...broughtSources(sources),
  };
}

function broughtSources({ config, own, tokenizer }: Sources) {
  const isImported = config.tokenizer.kind === 'imported';
  return {
    text: config.data.corpus === 'own' ? own : null,
    tokenizer_json: isImported ? new TextDecoder().decode(tokenizer) : null,
  };
}

/** An import: its checkpoint, what came beside it, and a notice if a part of that is not readable. */
export interface ImportedFiles {
  state: ReadState;
  run: BroughtRun | null;
  best: ReadState | null;
  notice: string | null;
}

/** Reads a model folder. Throws CheckpointError only for the checkpoint itself. */
export function readBroughtRun(all: Files): ImportedFiles {
  const { checkpoint, run } = splitExport(all);
  const state = readCheckpoint(checkpoint);
  // A folder made elsewhere may have files of these names by chance.
  if (state.foreign || !run) return { state, run: null, best: null, notice: null };
  const best = run.best ? readBest(run.best, state) : null;
  const isMissing = run.best !== null && best === null;
  const notice = isMissing
    ? 'The best checkpoint in this file cannot be read, so only the last one was imported.'
    : null;
  return { state, run, best, notice };
}

/** Null unless it is an earlier state of the same model. */
function readBest(files: Files, last: ReadState): ReadState | null {
  try {
    const best = readCheckpoint(files);
    const isSameModel = JSON.stringify(best.model) === JSON.stringify(last.model);
    return isSameModel && best.step <= last.step && !best.foreign ? best : null;
  } catch (error) {
    if (error instanceof CheckpointError) return null;
    throw error;
  }
}

/** Does what storage may refuse without harm to the run: it only comes back less complete. */
export async function ifStorageAllows(save: () => Promise<void>): Promise<void> {
  try {
    await save();
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
  }
}

/** The votes that an imported stage trains on. */
export function broughtVotes({ run }: ImportedFiles): Vote[] {
  const bytes = run?.records.get(TRAINING_VOTES.file);
  return bytes ? readRecords(new TextDecoder().decode(bytes), TRAINING_VOTES) : [];
}

/** Keeps with the new run what came with the import, as far as storage allows. */
export function saveImport(storage: OpenRun, imported: ImportedFiles): Promise<void> {
  const { run, best, state } = imported;
  for (const sample of run?.samples ?? []) {
    if (sample.step <= state.step) storage.samples.add(sample);
  }
  return ifStorageAllows(async () => {
    if (run?.view) await storage.saveView(run.view);
    if (run?.recipe) await storage.saveRecipe(run.recipe);
    if (run) await storage.record.records.addFiles(storage.id, run.records);
    await storage.samples.flush();
    if (best && typeof best.best_val_loss === 'number') {
      await storage.saveBest({ step: best.step, score: best.best_val_loss }, best);
    }
  });
}

/**
 * The configuration of an imported run. A folder of ours has its own recipe; the text is the one
 * that came with it, else that of the form. A foreign folder has only a model and a tokenizer.
 */
export function importedConfig(
  { state, run }: ImportedFiles,
  form: RunConfig | undefined,
): RunConfig {
  if (!form) return state.config;
  if (state.foreign)
    return { ...form, model: state.config.model, tokenizer: state.config.tokenizer };
  const { data, runtime } = form;
  const hasText = run !== null && (state.config.data.corpus !== 'own' || run.text !== null);
  return hasText ? { ...state.config, runtime } : { ...state.config, data, runtime };
}
