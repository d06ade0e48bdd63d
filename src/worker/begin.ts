/** Where a run comes from: new weights, a saved run, or an imported folder. */
import {
  broughtFiles,
  CheckpointError,
  readCheckpoint,
  type OpenRun,
  type ReadState,
  type RunStore,
} from '../checkpoint/index.ts';
import type { OwnText } from '../common/index.ts';
import type { RunConfig } from '../config/index.ts';
import { importTokenizer } from '../data/index.ts';
import { planRun } from '../plan/index.ts';
import type { Command } from '../protocol/index.ts';
import { requireRunnable } from './check_run.ts';
import type { Device } from './device.ts';
import type { ResumePoint, RunParts, RunStart, RunSurroundings } from './run_parts.ts';
import type { PreparedText, TextSources } from './text.ts';

type CommandOf<T extends Command['type']> = Extract<Command, { type: T }>;

/** What a beginning needs of the session. */
export interface BeginContext extends RunSurroundings {
  readonly device: Device;
  storage(): Promise<RunStore>;
  /** Reads, splits and encodes the text, and tells the page about it. */
  prepareText(config: RunConfig, sources: TextSources): Promise<PreparedText>;
}

/** All that is needed to create the run. Its storage is open. */
export interface Beginning {
  parts: RunParts;
  start: RunStart;
}

/** A run from randomly initialised weights. */
export async function newRun(
  context: BeginContext,
  command: CommandOf<'start'>,
): Promise<Beginning> {
  const { config, text: own, tokenizer_json } = command;
  // Device, text and storage are prepared concurrently. Each is awaited to its end, so that none is
  // still working after another one failed.
  const [device, text, store] = await allSettled([
    markDone(context.device.open(config.runtime.backend), () => context.mark('device')),
    markDone(context.prepareText(config, { text: own, tokenizer_json }), () =>
      context.mark('prepared'),
    ),
    context.storage(),
  ]);
  const { vocab_size } = text.tokenizer;
  requireRunnable(config, { text, vocab_size, device });
  const { n_params } = planRun(config, { vocab_size });
  const storage = await store.create({ id: command.run, name: command.name, config, n_params });
  return closingOnFailure(storage, async () => {
    if (own) await storage.saveText(own);
    context.mark('stored');
    const { adapter } = device;
    const { run: id, name } = command;
    return {
      parts: { id, name, config, adapter, text, vocab_size, storage },
      start: { from: null, paused: command.paused ?? false },
    };
  });
}

/** A saved run, from its last checkpoint that opens. */
export async function resumedRun(
  context: BeginContext,
  command: CommandOf<'resume'>,
): Promise<Beginning> {
  const store = await context.storage();
  const record = (await store.list()).find((candidate) => candidate.run === command.run);
  const storage = await store.open(command.run);
  return closingOnFailure(storage, async () => {
    const saved = await loadCheckpoint(context, storage);
    const state = withBackend(saved, command.backend);
    const own = await storage.loadText();
    await context.device.open(state.config.runtime.backend);
    await storage.rewindMetrics(state.step);
    return continued(context, {
      id: command.run,
      name: record?.name ?? 'Run',
      state,
      own: own ?? undefined,
      storage,
      paused: command.paused ?? false,
      learning_rate: command.learning_rate,
    });
  });
}

/** A run from a folder that the person imported. It starts paused. */
export async function importedRun(
  context: BeginContext,
  command: CommandOf<'import'>,
): Promise<Beginning> {
  const state = readCheckpoint(broughtFiles(command.files));
  const config = importedConfig(state, command.config);
  for (const message of state.notes) context.emit({ type: 'notice', message });
  await context.device.open(config.runtime.backend);
  const { n_params } = planRun(config, { vocab_size: state.model.vocab_size });
  const store = await context.storage();
  const { run: id, name, text: own } = command;
  const storage = await store.create({ id, name, config, n_params });
  return closingOnFailure(storage, async () => {
    if (own) await storage.saveText(own);
    if (state.metrics) await storage.appendMetrics(state.metrics);
    return continued(context, {
      id,
      name,
      state: { ...state, config },
      own,
      storage,
      paused: true,
    });
  });
}

/**
 * The configuration of an imported run. A folder of ours brings its own recipe, and the form adds
 * text and device; a foreign folder brings only the model and the tokenizer.
 */
function importedConfig(state: ReadState, form: RunConfig | undefined): RunConfig {
  if (!form) return state.config;
  if (state.foreign)
    return { ...form, model: state.config.model, tokenizer: state.config.tokenizer };
  return { ...state.config, data: form.data, runtime: form.runtime };
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
    context.emit({
      type: 'notice',
      message:
        'The last checkpoint is incomplete and does not open, so the run continues from the one before it.',
    });
  }
  return loaded.state;
}

function withBackend(
  state: ReadState,
  backend: RunConfig['runtime']['backend'] | undefined,
): ReadState {
  if (backend === undefined) return state;
  const { config } = state;
  return { ...state, config: { ...config, runtime: { ...config.runtime, backend } } };
}

interface Continuation {
  id: string;
  name: string;
  state: ReadState;
  /** The run's own text, if it has one. */
  own: OwnText | undefined;
  storage: OpenRun;
  paused: boolean;
  learning_rate?: number | undefined;
}

/** Continues from a checkpoint's state, with the checkpoint's tokenizer. */
async function continued(context: BeginContext, saved: Continuation): Promise<Beginning> {
  const { id, name, state, own, storage, paused, learning_rate } = saved;
  const { config } = state;
  const { vocab_size } = state.model;
  const device = await context.device.open(config.runtime.backend);
  const tokenizer = await importTokenizer(state.tokenizer);
  const text = await context.prepareText(config, { text: own, tokenizer });
  requireRunnable(config, { text, vocab_size, device });
  const { adapter } = device;
  return {
    parts: { id, name, config, adapter, text, vocab_size, storage },
    start: { from: resumePoint(state), paused, learning_rate },
  };
}

export function resumePoint(state: ReadState): ResumePoint {
  const { parameters, optimizer, step, tokens, loss_scale } = state;
  return {
    state: { parameters, optimizer, step, tokens, loss_scale },
    elapsed_seconds: state.elapsed_seconds,
    best_val_loss: state.best_val_loss ?? null,
  };
}

async function closingOnFailure<T>(storage: OpenRun, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    await storage.close();
    throw error;
  }
}

async function markDone<T>(promise: Promise<T>, done: () => void): Promise<T> {
  const value = await promise;
  done();
  return value;
}

/** Waits until all are settled, then throws the first failure in their order. */
async function allSettled<A, B, C>(
  promises: readonly [Promise<A>, Promise<B>, Promise<C>],
): Promise<[A, B, C]> {
  await Promise.allSettled(promises);
  return Promise.all(promises);
}
