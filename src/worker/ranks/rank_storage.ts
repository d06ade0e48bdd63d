/** A parallel run in the library: the same folder as that of a run on one rank. */
import { lineageOf } from '../beginning.ts';
import type { RunConfig, ResolvedModel } from '../../config/index.ts';
import { DEFAULT_OBJECTIVE } from '../../objectives/index.ts';
import type { TrainerState } from '../../train/index.ts';
import type { PreparedText } from '../prepared_text.ts';
import type { StorageContext } from '../run_parts.ts';
import { CannotOpenRank } from './cannot_open_rank.ts';

export interface SavedRanks {
  run: string;
  name: string;
  config: RunConfig;
  model: ResolvedModel;
  state: TrainerState;
  text: PreparedText;
  n_params: number;
}

/** Writes a run of this id, or its next checkpoint. Returns the bytes that were written. */
export async function saveRun(context: StorageContext, saved: SavedRanks): Promise<number> {
  const { run: id, name, config, model, state, text, n_params } = saved;
  const store = await context.storage();
  const lineage = lineageOf(DEFAULT_OBJECTIVE, text, null);
  const known = (await store.list()).some((record) => record.run === id);
  const storage = known
    ? await store.open(id)
    : await store.create({ id, name, config, n_params, lineage });
  try {
    if (!known && text.text) await storage.saveText(text.text);
    return await storage.save({
      ...state,
      config,
      model,
      elapsed_seconds: 0,
      tokenizer: text.tokenizer,
      lineage,
    });
  } finally {
    await storage.close();
  }
}

/** The last checkpoint of a saved run. */
export async function loadRun(context: StorageContext, id: string): Promise<TrainerState> {
  const storage = await (await context.storage()).open(id);
  try {
    const loaded = await storage.load();
    if (loaded) return loaded.state;
    throw new CannotOpenRank('This run has no checkpoint yet.', 'Save it once, or start anew.');
  } finally {
    await storage.close();
  }
}
