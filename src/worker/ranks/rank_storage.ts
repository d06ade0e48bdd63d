/** A run on ranks in the library: the same folder as that of a run on one rank. */
import { ifStorageAllows } from '../restored.ts';
import type { RunConfig, ResolvedModel } from '../../config/index.ts';
import type { TrainerState } from '../../train/index.ts';
import { checkWeights } from '../check_weights.ts';
import type { StorageContext } from '../run_parts.ts';
import { savedStage } from '../../config/stage/saved.ts';
import { keepVotes } from '../stage.ts';
import type { SavedFacts } from './open_rank.ts';
import type { RankRecords } from './rank_records.ts';

export interface SavedRanks {
  run: string;
  name: string;
  config: RunConfig;
  model: ResolvedModel;
  state: TrainerState;
  n_params: number;
  facts: SavedFacts;
  records: RankRecords;
}

/** Writes a run of this id, or its next checkpoint. Returns the bytes that were written. */
export async function saveRun(context: StorageContext, saved: SavedRanks): Promise<number> {
  const { run: id, name, config, state, facts, records, n_params } = saved;
  checkWeights(state);
  const store = await context.storage();
  const { lineage, text, votes } = facts;
  const known = (await store.list()).some((record) => record.run === id);
  const storage = known
    ? await store.open(id)
    : await store.create({ id, name, config, n_params, lineage });
  try {
    if (!known && text.text) await storage.saveText(text.text);
    if (!known && text.stage) await ifStorageAllows(() => keepVotes(storage, votes));
    storage.metrics.add(records.take());
    await storage.metrics.flush();
    storage.record.rollouts.add(records.takeRollouts());
    await storage.record.rollouts.flush();
    return await storage.save({
      ...state,
      config,
      model: saved.model,
      elapsed_seconds: records.seconds,
      best_val_loss: records.best,
      tokenizer: text.tokenizer,
      lineage,
      ...stageFiles(facts),
    });
  } finally {
    await storage.close();
  }
}

/** What a stage's folder has beside that of pretraining. */
function stageFiles({ text }: SavedFacts) {
  const { config = null, data } = text.stage ?? {};
  return {
    stage: config && { ...savedStage(config) },
    chat_template: data?.chat.chat_template ?? null,
    pad_token_id: data?.chat.pad_token_id ?? null,
    bos_token_id: data?.chat.bos_token_id,
  };
}
