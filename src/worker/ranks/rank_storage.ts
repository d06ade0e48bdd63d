/** A run on ranks in the library: the same folder as that of a run on one rank. */
import {
  CheckpointError,
  type OpenRun,
  type RunStore,
  type StoredRun,
} from '../../checkpoint/index.ts';
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

/**
 * Writes a run of this id, or its next checkpoint. Returns the bytes that were written. Throws
 * CheckpointError, also if the run was deleted or trained elsewhere since its last save.
 */
export async function saveRun(context: StorageContext, saved: SavedRanks): Promise<number> {
  const { run: id, name, config, state, facts, records, n_params } = saved;
  checkWeights(state);
  const store = await context.storage();
  const { lineage } = facts;
  const known = (await store.list()).find((record) => record.run === id);
  await checkUnchanged(store, saved, known);
  const storage = known
    ? await store.open(id)
    : await store.create({ id, name, config, n_params, lineage });
  try {
    await saveBeside(storage, saved, known === undefined);
    const bytes = await storage.save({
      ...state,
      config,
      model: saved.model,
      elapsed_seconds: records.seconds,
      best_val_loss: records.best,
      tokenizer: facts.text.tokenizer,
      lineage,
      ...stageFiles(facts),
    });
    records.saved_step = state.step;
    return bytes;
  } finally {
    await storage.close();
  }
}

/**
 * Between two saves nobody holds the run, so that it can be exported, or be the parent of a stage.
 * Throws CheckpointError if saving would bring a deleted run back, or undo steps taken elsewhere.
 */
async function checkUnchanged(
  store: RunStore,
  { run: id, records, name }: SavedRanks,
  known: StoredRun | undefined,
): Promise<void> {
  const { saved_step } = records;
  if (saved_step === null || known?.step === saved_step) return;
  if (!known) {
    const deleted = await store.trash.list();
    // Its files may have disappeared because the user cleared the data of the site.
    if (!deleted.some(({ run }) => run === id)) return;
    throw new CheckpointError(
      'run_missing',
      `“${name}” was deleted, so its ranks do not save it any more.`,
      'Restore it in the list of deleted runs, then save it here.',
    );
  }
  throw new CheckpointError(
    'run_locked',
    `“${known.name}” was trained elsewhere to step ${known.step}, which its ranks do not overwrite.`,
    'End the ranks, and continue from that checkpoint.',
  );
}

/** Everything but the checkpoint. */
async function saveBeside(
  storage: OpenRun,
  { facts, records }: SavedRanks,
  isNew: boolean,
): Promise<void> {
  const { text, votes } = facts;
  // A save that failed may have created the run without it.
  const lacksText = isNew || records.saved_step === null;
  if (lacksText && text.text) await storage.saveText(text.text);
  if (isNew && text.stage) await ifStorageAllows(() => keepVotes(storage, votes));
  await records.writeMetrics(async (rows) => {
    for (const columns of rows) storage.metrics.add(columns);
    await storage.metrics.flush();
  });
  await records.writeRollouts(async (rollouts) => {
    storage.record.rollouts.add(rollouts);
    await storage.record.rollouts.flush();
  });
  await storage.ensureStored();
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
