/** How a run begins: with new weights or a parent's, from a saved run, or from an imported folder. */
import {
  broughtFiles,
  CheckpointError,
  type OpenRun,
  type ReadState,
} from '../checkpoint/index.ts';
import type { OwnText, Vote } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import { DataError, importTokenizer, SPLIT_VERSION } from '../data/index.ts';
import { DEFAULT_OBJECTIVE, type Objective } from '../objectives/index.ts';
import type { ImportCommand, ResumeCommand, StartCommand } from '../protocol/index.ts';
import { type BeginContext, type Beginning, lineageOf, requireObjective } from './beginning.ts';
import { withUsableMoments } from './moments.ts';
import {
  configWithParent,
  loadParent,
  startingWeights,
  unencodable,
  type ParentState,
} from './parent.ts';
import { allSettled, closingOnFailure, markDone } from './promises.ts';
import type { RunParts, StartingPoint } from './run_parts.ts';
import {
  broughtVotes,
  ifStorageAllows,
  importedConfig,
  readBroughtRun,
  restoredRun,
  saveImport,
  type ImportedFiles,
} from './restored.ts';
import { fittingConfig, settleAndTell } from './settle_on_device.ts';
import type { PreparedText, StageSource } from './prepared_text.ts';

/** A run at step 0, with randomly initialised weights or those of a parent. */
export async function newRun(context: BeginContext, command: StartCommand): Promise<Beginning> {
  if (command.stage) {
    const { newStage } = await import('./stage.ts');
    return newStage(context, { ...command, stage: command.stage });
  }
  const { run: id, name, tokenizer_json, text_of, recipe } = command;
  const own = command.text ?? (text_of === undefined ? null : await storedText(context, text_of));
  const objective = await requireObjective(context, command.objective ?? DEFAULT_OBJECTIVE.name);
  const parent = command.parent ? await loadParent(context, command.parent) : null;
  const config = parent ? configWithParent(command.config, parent) : command.config;
  const tokenizer = parent ? await importTokenizer(parent.state.tokenizer) : undefined;
  // Device, text and storage are prepared concurrently. Each is awaited to its end, so that none is
  // still working after another one failed.
  const [device, text, store] = await allSettled([
    markDone(context.device.open(config.runtime.backend), () => context.mark('device')),
    markDone(
      encodable(context.prepareText(config, { text: own, tokenizer_json, tokenizer }), parent),
      () => context.mark('prepared'),
    ),
    context.storage(),
  ]);
  const vocab_size = parent?.state.model.vocab_size ?? text.tokenizer.vocab_size;
  const settled = await settleAndTell(config, { text, vocab_size, device }, context);
  const lineage = lineageOf(objective, text, parent);
  const { n_params } = settled.plan;
  const storage = await store.create({ id, name, config, n_params, lineage });
  return closingOnFailure(storage, async () => {
    if (text.text) await storage.saveText(text.text);
    if (recipe) await ifStorageAllows(() => storage.saveRecipe(recipe));
    context.mark('stored');
    const { adapter } = device;
    return {
      parts: { id, name, adapter, settled, objective, lineage, text, storage },
      start: {
        from: parent ? startingWeights(parent, objective) : null,
        stored: false,
        paused: command.paused ?? false,
      },
    };
  });
}

/** The own text of a saved run, which need not have a checkpoint; null if it has none. */
async function storedText(context: BeginContext, run: string): Promise<OwnText | null> {
  const opened = await (await context.storage()).open(run);
  try {
    return await opened.loadText();
  } finally {
    await opened.close();
  }
}

/** A saved run, from its last checkpoint that can be read. */
export async function resumedRun(
  context: BeginContext,
  command: ResumeCommand,
): Promise<Beginning> {
  const { run: id, weights, lr_multiplier, backend, paused = false } = command;
  const store = await context.storage();
  const record = (await store.list()).find((candidate) => candidate.run === id);
  const storage = await store.open(id);
  return closingOnFailure(storage, async () => {
    const saved =
      weights === 'best' ? await loadBest(storage) : await loadCheckpoint(context, storage);
    const config = withBackend(saved.config, backend);
    const own = await storage.loadText();
    const { lineage } = saved;
    const objective = await requireObjective(context, lineage.objective);
    const votes = saved.stage ? await trainingVotes(storage) : [];
    const ready = await prepareSaved(context, { state: saved, objective, config, own, votes });
    await storage.rewindMetrics(saved.step);
    const stage = ready.text.stage?.config ?? null;
    const from = startingPoint(withUsableMoments(saved, { objective, stage }, context.emit));
    from.state.lr_multiplier = lr_multiplier ?? saved.lr_multiplier;
    const restored = await restoredRun(storage, { config, own, tokenizer: saved.tokenizer });
    const name = record?.name ?? 'Run';
    return {
      parts: { id, name, ...ready, objective, lineage, storage },
      start: { from, stored: true, paused, restored },
    };
  });
}

/** Reads the files that the user opened, and changes nothing. Throws if they are no checkpoint. */
export async function readImport(
  context: BeginContext,
  { files }: ImportCommand,
): Promise<ImportedFiles> {
  const imported = readBroughtRun(broughtFiles(files));
  const { lineage, tokenizer } = imported.state;
  await requireObjective(context, lineage.objective);
  await importTokenizer(tokenizer);
  return imported;
}

/** A run that continues from what `readImport` read. It starts paused. */
export async function importedRun(
  context: BeginContext,
  command: ImportCommand,
  imported: ImportedFiles,
): Promise<Beginning> {
  const { run: id, name } = command;
  const { state } = imported;
  const requested = importedConfig(imported, command.config);
  const own = imported.run?.text ?? command.text ?? null;
  const notices = imported.notice === null ? state.notes : [...state.notes, imported.notice];
  for (const message of notices) context.emit({ type: 'notice', message });
  const objective = await requireObjective(context, state.lineage.objective);
  const votes = broughtVotes(imported);
  const ready = await prepareSaved(context, { state, objective, config: requested, own, votes });
  const { config } = ready.settled;
  const parent: ParentState = { parent: { kind: 'imported', name }, state };
  const lineage = state.foreign ? lineageOf(objective, ready.text, parent) : state.lineage;
  const store = await context.storage();
  const { n_params } = ready.settled.plan;
  const storage = await store.create({ id, name, config, n_params, lineage });
  return closingOnFailure(storage, async () => {
    if (ready.text.text) await storage.saveText(ready.text.text);
    // Written with the first save.
    if (state.metrics) storage.metrics.add(state.metrics);
    await saveImport(storage, imported);
    const { tokenizer } = state;
    const restored = await restoredRun(storage, { config, own: ready.text.text, tokenizer });
    const stage = ready.text.stage?.config ?? null;
    const from = startingPoint(withUsableMoments(state, { objective, stage }, context.emit));
    return {
      parts: { id, name, ...ready, objective, lineage, storage },
      start: { from, stored: false, paused: true, restored },
    };
  });
}

interface SavedParts {
  state: ReadState;
  objective: Objective;
  config: RunConfig;
  own: OwnText | null;
  /** Of a stage. */
  votes: readonly Vote[];
}

/** Opens the device and prepares the text for a checkpoint, with the checkpoint's tokenizer. */
async function prepareSaved(
  context: BeginContext,
  { state, objective, config: requested, own, votes }: SavedParts,
): Promise<Pick<RunParts, 'adapter' | 'settled' | 'text'>> {
  const device = await context.device.open(requested.runtime.backend);
  const { vocab_size } = state.model;
  const config = state.foreign
    ? await fittingConfig(requested, { vocab_size, device, emit: context.emit })
    : requested;
  const tokenizer = await importTokenizer(state.tokenizer);
  const split_version = state.foreign ? SPLIT_VERSION : (state.lineage.split_version ?? 1);
  const stage = state.stage ? await stageOfCheckpoint(state, objective, votes) : undefined;
  const text = await context.prepareText(config, { text: own, tokenizer, split_version, stage });
  const settled = await settleAndTell(config, { text, vocab_size, device }, context);
  return { adapter: device.adapter, settled, text };
}

async function stageOfCheckpoint(
  state: ReadState,
  objective: Objective,
  votes: readonly Vote[],
): Promise<StageSource> {
  const { stageSource } = await import('./stage_source.ts');
  return stageSource(state, objective, votes);
}

async function trainingVotes({ id, record }: OpenRun): Promise<readonly Vote[]> {
  return (await (await record.records.trainingVotes(id)).read()).records;
}

/** The state of a checkpoint, as a run continues from it. */
export function startingPoint(saved: ReadState): StartingPoint {
  const { parameters, objective_tensors, optimizer, step, tokens, lr_multiplier } = saved;
  const { loss_scale } = saved;
  return {
    state: { parameters, objective_tensors, optimizer, step, tokens, lr_multiplier, loss_scale },
    elapsed_seconds: saved.elapsed_seconds,
    best_val_loss: saved.best_val_loss ?? null,
    stale_evaluations: saved.schedule?.stale_evaluations ?? 0,
  };
}

function withBackend(
  config: RunConfig,
  backend: RunConfig['runtime']['backend'] | undefined,
): RunConfig {
  if (backend === undefined) return config;
  return { ...config, runtime: { ...config.runtime, backend } };
}

async function loadCheckpoint(context: BeginContext, storage: OpenRun): Promise<ReadState> {
  const loaded = await storage.load();
  if (!loaded) {
    throw new CheckpointError(
      'run_missing',
      'This run has no checkpoint yet.',
      'Start it anew with the same configuration.',
    );
  }
  if (loaded.recovered) {
    const message =
      'The last checkpoint is incomplete and cannot be read, so the run continues from the one before it.';
    context.emit({ type: 'notice', message });
  }
  return loaded.state;
}

async function loadBest(storage: OpenRun): Promise<ReadState> {
  const state = await storage.loadBest();
  if (state) return state;
  throw new CheckpointError(
    'run_missing',
    'This run has no best checkpoint.',
    'Resume it from the last one.',
  );
}

/** Throws BadParent if the parent's tokenizer lacks a character of the text. */
async function encodable(
  text: Promise<PreparedText>,
  parent: ParentState | null,
): Promise<PreparedText> {
  try {
    return await text;
  } catch (error) {
    if (!parent || !(error instanceof DataError && error.code === 'unknown_character')) throw error;
    throw unencodable(error, parent);
  }
}
