/** Weights that a new run takes from another run, or from an imported folder. */
import {
  broughtFiles,
  CheckpointError,
  readCheckpoint,
  type ReadState,
  type RunStore,
} from '../checkpoint/index.ts';
import type { Parent, WeightsChoice } from '../common/index.ts';
import { architectureFields, resolveModel, type RunConfig } from '../config/index.ts';
import type { DataError } from '../data/index.ts';
import type { Objective } from '../objectives/index.ts';
import type { ParentSource } from '../protocol/index.ts';
import { BadParent } from './plain_errors.ts';
import type { StartingPoint, StorageContext } from './run_parts.ts';

export interface ParentState {
  parent: Parent;
  state: ReadState;
}

/**
 * Reads the parent's last checkpoint, or the imported files; adapters are merged into the weights.
 * Throws CheckpointError.
 */
export async function loadParent(
  context: StorageContext,
  source: ParentSource,
): Promise<ParentState> {
  if ('files' in source) {
    const state = readCheckpoint(broughtFiles(source.files));
    for (const message of state.notes) context.emit({ type: 'notice', message });
    return { parent: { kind: 'imported', name: source.name }, state: await merged(state) };
  }
  const { state, name } = await loadSaved(context, source.run, source.weights);
  const parent = { kind: 'run', run: source.run, name, step: state.step } as const;
  return { parent, state: await merged(state) };
}

/**
 * A checkpoint of a saved run, which is only read where it is open elsewhere, such as in the worker of
 * the page beside ranks. Throws CheckpointError.
 */
export async function loadSaved(
  context: StorageContext,
  run: string,
  weights: WeightsChoice = 'last',
): Promise<{ state: ReadState; name: string }> {
  const store = await context.storage();
  const record = (await store.list()).find((one) => one.run === run);
  const state = record?.locked
    ? await store.transfer.state(run, weights)
    : await readClosed(store, run, weights);
  if (state) return { state, name: record?.name ?? 'Run' };
  throw new CheckpointError(
    'run_missing',
    'The run to start from has no checkpoint yet.',
    'Train it for a while, or choose another run.',
  );
}

async function readClosed(
  store: RunStore,
  run: string,
  weights: WeightsChoice,
): Promise<ReadState | null | undefined> {
  const storage = await store.open(run);
  try {
    return weights === 'best' ? await storage.loadBest() : (await storage.load())?.state;
  } finally {
    await storage.close();
  }
}

/** Only stages have adapters, so other parents do not load the code that merges them. */
async function merged(state: ReadState): Promise<ReadState> {
  if (!state.stage) return state;
  const { mergedState } = await import('./merged.ts');
  return mergedState(state);
}

/**
 * The configuration of a run from the parent's weights: it has the parent's tokenizer. Throws
 * BadParent, which names the field, if the model differs from the parent's.
 */
export function configWithParent(config: RunConfig, { state, parent }: ParentState): RunConfig {
  const { model } = state;
  const wanted = resolveModel(config.model, model.vocab_size);
  const shared = architectureFields(model.layout);
  const fields = model.layout === 'gpt2' ? ([...shared, 'bias'] as const) : shared;
  const field = fields.find((name) => wanted[name] !== model[name]);
  if (field !== undefined) {
    throw new BadParent(
      `model.${field}`,
      `The model of “${parent.name}” has ${field} ${model[field]}, and this recipe has ${wanted[field]}.`,
      `Set ${field} to ${model[field]}, or start from new weights.`,
    );
  }
  return { ...config, tokenizer: state.config.tokenizer };
}

/** `error`: the parent's tokenizer lacks a character of the new run's text. */
export const unencodable = (error: DataError, { parent }: ParentState): BadParent =>
  new BadParent(
    'data.corpus',
    `The tokenizer of “${parent.name}” cannot encode this text. ${error.message}`,
    'Choose another text, or start from new weights.',
  );

/** The parent's weights at step 0, without the state of its optimizer. */
export function startingWeights({ state }: ParentState, objective: Objective): StartingPoint {
  const { parameters, lineage } = state;
  // The objective's own tensors have the shapes that this objective expects only if it made them.
  const kept = lineage.objective === objective.name ? [...state.objective_tensors] : [];
  // A reference is a copy of the weights that a run starts from, and those are the parent's.
  const objective_tensors = new Map(kept.filter(([name]) => !name.startsWith('reference.')));
  return {
    state: { parameters, objective_tensors, optimizer: new Map(), step: 0, tokens: 0 },
    elapsed_seconds: 0,
    best_val_loss: null,
  };
}
