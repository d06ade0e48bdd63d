/** A checkpoint that is open for chat and evaluation: weights only, all of them frozen. */
import { broughtFiles, CheckpointError, readCheckpoint } from '../../checkpoint/index.ts';
import type { ReadState } from '../../checkpoint/index.ts';
import type { CheckpointName, Lineage, Turns } from '../../common/index.ts';
import type { ResolvedModel, RunConfig } from '../../config/index.ts';
import { type ChatFormat, DataError, importTokenizer, type Tokenizer } from '../../data/index.ts';
import { Generator } from '../../model/generate.ts';
import {
  type FrozenStorage,
  listParameters,
  type ModelStores,
  type Parameter,
  parameterSize,
  rotaryTable,
  scoreParameter,
  Weights,
} from '../../model/index.ts';
import type { OpenedModel, ParentSource, WeightDtype } from '../../protocol/index.ts';
import { RolloutPool } from '../../train/rollout_pool.ts';
import { mergedState } from '../merged.ts';
import type { StorageContext } from '../run_parts.ts';
import { specialTokens } from '../stage_source.ts';
import { type AskFormat, chatAskFormat } from './ask_format.ts';
import { plainFormat } from './plain_format.ts';
import { Scorer } from './scorer.ts';

/** What is read of a checkpoint before it needs memory on the device. */
export interface ModelFiles {
  state: ReadState;
  checkpoint: CheckpointName;
}

/** Reads a run, which any tab may have open, or files that the user opened. */
export async function readModel(
  context: Pick<StorageContext, 'storage'>,
  source: ParentSource,
): Promise<ModelFiles> {
  if ('files' in source) {
    const state = readCheckpoint(broughtFiles(source.files));
    const checkpoint = { run: null, name: source.name, weights: 'last', step: state.step } as const;
    return { state: mergedState(state), checkpoint };
  }
  const { run, weights = 'last' } = source;
  const store = await context.storage();
  const state = await store.transfer.state(run, weights);
  const name = (await store.list()).find((record) => record.run === run)?.name ?? 'Run';
  return { state: mergedState(state), checkpoint: { run, name, weights, step: state.step } };
}

interface OpenedParts {
  tokenizer: Tokenizer;
  chat: ChatFormat | null;
  kept: Kept;
}

export class OpenModel {
  readonly checkpoint: CheckpointName;
  readonly model: ResolvedModel;
  readonly config: RunConfig;
  readonly lineage: Lineage;
  readonly notes: readonly string[];
  /** Equal for models that give tokens the same ids. */
  readonly vocabulary: string;
  readonly scorer: Scorer;
  readonly rollouts: RolloutPool;
  /** Of running text, as the base model was trained on it. */
  readonly tokenizer: Tokenizer;
  /** Null for a model without a chat template. */
  readonly chat: ChatFormat | null;
  readonly format: AskFormat;
  readonly isReward: boolean;
  readonly #weights: Weights;
  readonly #rotary: ModelStores['rotary'];
  #generator: Generator | null = null;
  /** Work that uses the model is done one after the other. */
  #busy: Promise<unknown> = Promise.resolve();

  private constructor({ state, checkpoint }: ModelFiles, { tokenizer, chat, kept }: OpenedParts) {
    this.checkpoint = checkpoint;
    this.model = state.model;
    this.config = state.config;
    this.lineage = state.lineage;
    this.notes = kept.reason === null ? state.notes : [...state.notes, kept.reason];
    this.vocabulary = fingerprint(state.tokenizer);
    this.tokenizer = tokenizer;
    this.chat = chat;
    this.format = chat ? chatAskFormat(chat) : plainFormat(tokenizer);
    this.isReward = state.objective_tensors.has('score.weight');
    this.#weights = loadedWeights(state, this.isReward, kept.storage);
    this.#rotary = rotaryTable(state.model);
    const { model } = this;
    const parts = { model, weights: this.#weights, rotary: this.#rotary };
    this.scorer = new Scorer(parts);
    this.rollouts = new RolloutPool(parts, null);
  }

  /** Copies the weights to the device, which is open. Throws DataError for its tokenizer. */
  static async create(files: ModelFiles, dtype: WeightDtype = 'float32'): Promise<OpenModel> {
    const { state } = files;
    const tokenizer = await importTokenizer(state.tokenizer);
    const chat = await chatOf(tokenizer, state);
    return new OpenModel(files, { tokenizer, chat, kept: await keptAs(dtype, state) });
  }

  /** What the page is told. */
  opened(model: string): OpenedModel {
    const { checkpoint, lineage, vocabulary, notes } = this;
    const { parameters } = this.#weights;
    return {
      model,
      checkpoint,
      lineage,
      n_params: parameters.reduce((sum, one) => sum + parameterSize(one), 0),
      bytes: this.#weights.trainable.bytes + (this.#weights.frozen?.bytes ?? 0),
      block_size: this.model.block_size,
      vocab_size: this.model.vocab_size,
      vocabulary,
      chats: this.chat !== null,
      is_reward: this.isReward,
      notes,
    };
  }

  /** Ids from this one on are never sampled. */
  get vocabLimit(): number {
    return Math.min(this.format.tokenizer.vocab_size, this.model.vocab_size);
  }

  /** Ids of a prompt; null for one that leaves no room, or has characters that the tokenizer lacks. */
  readable(prompt: Turns): Int32Array | null {
    try {
      const ids = this.format.encodePrompt(prompt);
      return ids.length < this.model.block_size ? ids : null;
    } catch (error) {
      if (error instanceof DataError) return null;
      throw error;
    }
  }

  async generator(): Promise<Generator> {
    return (this.#generator ??= await Generator.create(this.model, this.#weights, this.#rotary));
  }

  /** Runs `work` after all work that uses one of these models, and before later work. */
  static exclusively<T>(models: readonly OpenModel[], work: () => Promise<T>): Promise<T> {
    const before = Promise.all(models.map((one) => one.#busy));
    const result = before.then(work);
    const done = result.catch(() => undefined);
    for (const model of models) model.#busy = done;
    return result;
  }

  /** Frees its memory. */
  dispose(): void {
    this.#generator?.dispose();
    this.scorer.dispose();
    this.rollouts.dispose();
    this.#weights.dispose();
    this.#rotary?.dispose();
  }
}

async function chatOf(tokenizer: Tokenizer, state: ReadState): Promise<ChatFormat | null> {
  const { chat_template = null } = state;
  if (chat_template === null) return null;
  const { chatFormat } = await import('../../data/conversations/index.ts');
  return chatFormat(tokenizer, chat_template, specialTokens(state));
}

/** How the device keeps the weights. */
interface Kept {
  storage: FrozenStorage | null;
  /** Why they are not in float16 although that was requested, in one sentence. */
  reason: string | null;
}

async function keptAs(dtype: WeightDtype, { model, parameters }: ReadState): Promise<Kept> {
  if (dtype === 'float32') return { storage: null, reason: null };
  const { weightsInFloat16 } = await import('./float16_weights.ts');
  return weightsInFloat16(listParameters(model), parameters);
}

function loadedWeights(
  { model, parameters, objective_tensors }: ReadState,
  scores: boolean,
  storage: FrozenStorage | null,
) {
  const values = (name: string): Float32Array | undefined =>
    parameters.get(name) ?? objective_tensors.get(name)?.data;
  const listed: readonly Parameter[] = scores
    ? [...listParameters(model), scoreParameter(model)]
    : listParameters(model);
  const missing = listed.find(({ name }) => !values(name));
  if (missing) {
    throw new CheckpointError(
      'missing_tensor',
      `The checkpoint has no ${missing.name}.`,
      'Choose another checkpoint of the model.',
    );
  }
  const weights = new Weights(listed, () => false, null, storage);
  for (const { name } of listed) weights.write(name, values(name) ?? new Float32Array());
  return weights;
}

/** A number for the bytes of a tokenizer.json: FNV-1a in 32 bits, with the length. */
function fingerprint(bytes: Uint8Array): string {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return `${(hash >>> 0).toString(16)}-${bytes.length}`;
}
