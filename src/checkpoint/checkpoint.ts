/**
 * A checkpoint is a Hugging Face model folder with `optimizer.safetensors` and
 * `training_state.json` beside it. Saving, resuming, exporting and importing are these two
 * functions.
 */
import { MOMENTS, type LossScaleState, type MetricColumns } from '../common/index.ts';
import {
  defaultConfig,
  resolveModel,
  type ModelConfig,
  type ResolvedModel,
  type RunConfig,
} from '../config/index.ts';
import { listParameters, type Parameter } from '../model/parameters.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { FILES, findFolder, requireFile, weightTensors, type Files } from './folder.ts';
import {
  exportNotes,
  hfArchitecture,
  hfConfig,
  ownConfig,
  type SpecialTokens,
} from './hf_config.ts';
import { modelFromHfConfig, type ImportedModel } from './hf_import.ts';
import { exportTensors, importTensors, valuesOf } from './hf_weights.ts';
import { encodeJson, parseJson } from './json.ts';
import { metricLines, parseMetricLines } from './metric_columns.ts';
import { readSafetensors, readTensor, writeSafetensors } from './safetensors.ts';
import {
  checkVocabulary,
  generationConfig,
  tokenizerBytes,
  tokenizerConfig,
  tokenizerEos,
  tokenizerFacts,
  type TokenizerSource,
} from './tokenizer_files.ts';
import {
  readTrainingState,
  STATE_VERSION,
  writeTrainingState,
  type TrainingState,
} from './training_state.ts';

export interface CheckpointState {
  config: RunConfig;
  model: ResolvedModel;
  /** By the names of listParameters, in their shapes. */
  parameters: ReadonlyMap<string, Float32Array>;
  /**
   * Moments by `exp_avg.NAME`, `exp_avg_sq.NAME` or `momentum_buffer.NAME`, each in the shape of
   * parameter NAME; empty in a foreign folder.
   */
  optimizer: ReadonlyMap<string, Float32Array>;
  step: number;
  /** Tokens seen. */
  tokens: number;
  elapsed_seconds: number;
  tokenizer: TokenizerSource;
  best_val_loss?: number | null;
  /** Of mixed precision: scale, updates since it changed, updates left out so far. */
  loss_scale?: LossScaleState | null;
  schedule?: Readonly<Record<string, number>>;
  seeds?: Readonly<Record<string, number>>;
  data_position?: Readonly<Record<string, number>>;
  /** Default: the tokenizer's own end-of-text token, which begins a document too. */
  eos_token_id?: number | null;
  bos_token_id?: number | null;
  metrics?: MetricColumns;
}

/**
 * A state as read: `tokenizer` holds the bytes of tokenizer.json (for `tokenizerFromJson` or
 * `importTokenizer`), `notes` says what was changed on the way in, `foreign` that nothing of ours
 * stood beside the weights.
 */
export interface ReadState extends CheckpointState {
  tokenizer: Uint8Array;
  notes: string[];
  foreign: boolean;
}

export interface WriteOptions {
  /**
   * Refuse (`no_equivalent`) a model that transformers cannot open, instead of writing a folder for
   * Terrarium alone.
   */
  plain?: boolean;
}

/**
 * The files of a checkpoint by path. Throws `no_equivalent` (plain only), `vocab_mismatch`,
 * `bad_tokenizer`, `missing_tensor`, `shape_mismatch` or `too_large`.
 */
export function writeCheckpoint(
  state: CheckpointState,
  options: WriteOptions = {},
): Map<string, Uint8Array> {
  const { model } = state;
  const tokenizer = tokenizerBytes(state.tokenizer);
  const facts = tokenizerFacts(tokenizer);
  const special = specialTokens(state);
  checkVocabulary(facts, model.vocab_size);
  const files = new Map<string, Uint8Array>([
    [FILES.config, encodeJson(configJson(model, special, options.plain ?? false))],
    [FILES.generation, encodeJson(generationConfig(state.config.sampling, special))],
    [FILES.weights, writeSafetensors(exportTensors(model, state.parameters))],
    [FILES.tokenizer, tokenizer],
    [FILES.tokenizerConfig, encodeJson(tokenizerConfig(facts, special, model.block_size))],
    [FILES.state, writeTrainingState(trainingState(state))],
  ]);
  if (state.optimizer.size > 0) files.set(FILES.optimizer, writeOptimizer(model, state.optimizer));
  if (state.metrics) files.set(FILES.metrics, new TextEncoder().encode(metricLines(state.metrics)));
  return files;
}

/**
 * Sentences about what an export of this model changes, and why it cannot be plain where it cannot.
 */
export function describeExport(model: ResolvedModel): { plain: boolean; notes: string[] } {
  try {
    hfArchitecture(model);
    return { plain: true, notes: exportNotes(model) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { plain: false, notes: [`${error.message} ${error.hint}`] };
  }
}

function specialTokens(state: CheckpointState): SpecialTokens {
  const eos = state.eos_token_id === undefined ? tokenizerEos(state.tokenizer) : state.eos_token_id;
  return {
    eos_token_id: eos,
    bos_token_id: state.bos_token_id === undefined ? eos : state.bos_token_id,
  };
}

function configJson(
  model: ResolvedModel,
  { eos_token_id: eos, bos_token_id: bos }: SpecialTokens,
  plain: boolean,
): Record<string, unknown> {
  return plain || describeExport(model).plain
    ? hfConfig(model, model.vocab_size, eos, bos)
    : ownConfig(model, eos, bos);
}

function trainingState(state: CheckpointState): TrainingState {
  const { step, tokens, elapsed_seconds, config } = state;
  return {
    version: STATE_VERSION,
    step,
    tokens,
    elapsed_seconds,
    best_val_loss: state.best_val_loss ?? null,
    schedule: { ...state.schedule },
    seeds: { seed: config.training.seed, sample_seed: config.sampling.sample_seed, ...state.seeds },
    data_position: { ...state.data_position },
    ...(state.loss_scale ? { loss_scale: state.loss_scale } : {}),
    config,
  };
}

function writeOptimizer(
  model: ResolvedModel,
  optimizer: ReadonlyMap<string, Float32Array>,
): Uint8Array {
  const parameters = parametersByName(model);
  return writeSafetensors(
    [...optimizer.keys()].sort().map((key) => {
      const parameter = momentParameter(parameters, key);
      const data = valuesOf(parameter, optimizer, key);
      return { name: key, shape: parameter.shape, write: (out) => out.set(data) };
    }),
  );
}

const parametersByName = (model: ResolvedModel) =>
  new Map(listParameters(model).map((p) => [p.name, p]));

function momentParameter(parameters: ReadonlyMap<string, Parameter>, key: string): Parameter {
  const dot = key.indexOf('.');
  const parameter = parameters.get(key.slice(dot + 1));
  if (!MOMENTS.some((moment) => moment === key.slice(0, dot)) || !parameter) {
    throw new CheckpointError(
      'unexpected_tensor',
      `${FILES.optimizer} holds ${shorten(key)}, which belongs to no parameter of this model.`,
      'Leave optimizer.safetensors and training_state.json out to keep only the weights.',
    );
  }
  return parameter;
}

/**
 * A state from the files of a folder, ours or one of GPT-2, Llama, Mistral or Qwen3 made elsewhere
 * (then step 0, no moments, and a configuration derived from config.json). Throws CheckpointError
 * and nothing else.
 */
export function readCheckpoint(all: Files): ReadState {
  const files = findFolder(all);
  const imported = modelFromHfConfig(parseJson(requireFile(files, FILES.config), FILES.config));
  const tokenizer = requireFile(files, FILES.tokenizer);
  const saved = files.get(FILES.state);
  const training = saved ? withoutVersion(readTrainingState(saved)) : null;
  const model = training ? savedModel(training.config.model, imported) : imported.model;
  checkVocabulary(tokenizerFacts(tokenizer), model.vocab_size);
  const parameters = importTensors(model, weightTensors(files));
  const moments = training ? files.get(FILES.optimizer) : undefined;
  const metrics = files.get(FILES.metrics);
  return {
    ...(training ?? {
      config: foreignConfig(model),
      step: 0,
      tokens: 0,
      elapsed_seconds: 0,
      best_val_loss: null,
      schedule: {},
      seeds: {},
      data_position: {},
    }),
    model,
    parameters,
    optimizer: moments ? readOptimizer(model, moments) : new Map(),
    tokenizer,
    eos_token_id: imported.eos_token_id,
    bos_token_id: imported.bos_token_id,
    notes: imported.notes,
    foreign: training === null,
    ...(metrics ? { metrics: parseMetricLines(new TextDecoder().decode(metrics)) } : {}),
  };
}

const withoutVersion = ({ version: _version, ...rest }: TrainingState) => rest;

/** Fields that decide what the weights compute. */
const COMPUTED = [
  'layout',
  'n_layer',
  'n_head',
  'n_kv_head',
  'n_embd',
  'n_inner',
  'block_size',
  'tie_word_embeddings',
  'activation_function',
  'qk_norm',
  'sliding_window',
  'norm_eps',
] as const;

/**
 * The model as the RunConfig has it (config.json knows neither a missing bias nor a dropout of
 * ours), if config.json agrees.
 */
function savedModel(config: ModelConfig, { model: other }: ImportedModel): ResolvedModel {
  const model = resolveModel(config, other.vocab_size);
  const differs = [
    ...COMPUTED,
    ...(model.layout === 'llama' ? (['rope_theta'] as const) : []),
  ].find((name) => model[name] !== other[name]);
  if (differs !== undefined) {
    throw new CheckpointError(
      'config_mismatch',
      `config.json and training_state.json disagree on ${differs} (${other[differs]} and ${model[differs]}).`,
      'Leave training_state.json out to follow config.json alone.',
    );
  }
  return model;
}

function foreignConfig({
  vocab_size: _vocab_size,
  head_dim: _head_dim,
  ...model
}: ResolvedModel): RunConfig {
  const config = defaultConfig();
  return { ...config, model, tokenizer: { ...config.tokenizer, kind: 'imported' } };
}

function readOptimizer(model: ResolvedModel, bytes: Uint8Array): Map<string, Float32Array> {
  const parameters = parametersByName(model);
  const out = new Map<string, Float32Array>();
  for (const [key, view] of readSafetensors(bytes, FILES.optimizer).tensors) {
    const { shape } = momentParameter(parameters, key);
    if (view.shape.join() !== shape.join())
      throw damaged(
        'shape_mismatch',
        FILES.optimizer,
        `${shorten(key)} has the shape [${view.shape.join(', ')}] where the model has [${shape.join(', ')}]`,
      );
    out.set(key, readTensor(view));
  }
  return out;
}
