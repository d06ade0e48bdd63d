/**
 * A checkpoint is a Hugging Face model folder with files of ours beside it. Saving and exporting are
 * `writeCheckpoint`; resuming and importing are `readCheckpoint`.
 */
import type { MetricColumns } from '../common/index.ts';
import {
  defaultConfig,
  modelConfigOf,
  type ResolvedModel,
  type RunConfig,
} from '../config/index.ts';
import { withForeignAdapter } from './adapter_import.ts';
import { fromPeftTensors, toPeftTensors } from './adapter_tensors.ts';
import type {
  CheckpointState,
  ObjectiveTensor,
  ReadState,
  WriteOptions,
} from './checkpoint_state.ts';
import { readChatFiles } from './chat_files.ts';
import { CheckpointError } from './error.ts';
import { FILES, findFolder, requireFile, weightTensors, type Files } from './folder.ts';
import {
  exportNotes,
  hfArchitecture,
  hfConfig,
  ownConfig,
  type SpecialTokens,
} from './hf_config.ts';
import { modelFromHfConfig } from './hf_import.ts';
import { exportTensors, importTensors } from './hf_weights.ts';
import { encodeJson, parseJson, parseRecord } from './json.ts';
import { DEFAULT_LINEAGE, readLineage, writeLineage } from './lineage.ts';
import { metricLines, parseMetricLines } from './metric_columns.ts';
import { readMoments, trainableShapes, writeMoments } from './moments.ts';
import {
  readObjectiveTensors,
  writeObjectiveTensors,
  type ObjectiveTensors,
} from './objective_tensors.ts';
import { savedModel } from './saved_model.ts';
import { writeSafetensors } from './safetensors.ts';
import {
  describesScores,
  isScored,
  SCORE,
  scoredConfig,
  scoredTensors,
  splitScore,
  takeLanguageHead,
  withLanguageHead,
} from './score_head.ts';
import {
  checkVocabulary,
  generationConfig,
  tokenizerBytes,
  tokenizerConfig,
  tokenizerEos,
  tokenizerFacts,
} from './tokenizer_files.ts';
import {
  readTrainingState,
  STATE_VERSION,
  writeTrainingState,
  type TrainingState,
} from './training_state.ts';

const NO_TENSORS: ObjectiveTensors = new Map();
const NO_FILES: Files = new Map();

/**
 * Returns the files of a checkpoint by path. Throws `no_equivalent` (with `plain` only),
 * `vocab_mismatch`, `bad_tokenizer`, `bad_state`, `missing_tensor`, `unexpected_tensor`,
 * `forbidden_name`, `shape_mismatch` or `too_large`.
 */
export function writeCheckpoint(
  state: CheckpointState,
  options: WriteOptions = {},
): Map<string, Uint8Array> {
  const { model } = state;
  const scored = isScored(state);
  const extra = state.objective_tensors ?? NO_TENSORS;
  const tokenizer = tokenizerBytes(state.tokenizer);
  const facts = tokenizerFacts(tokenizer);
  const special = specialTokens(state);
  checkVocabulary(facts, model.vocab_size);
  const config = configJson(model, special, options.plain ?? false);
  const tensors = exportTensors(model, state.parameters);
  const files = new Map<string, Uint8Array>([
    [FILES.config, encodeJson(scored ? scoredConfig(config, state.pad_token_id ?? null) : config)],
    [FILES.generation, encodeJson(generationConfig(state.config.sampling, special))],
    [FILES.weights, writeSafetensors(scored ? scoredTensors(tensors, extra) : tensors)],
    [FILES.tokenizer, tokenizer],
    [FILES.tokenizerConfig, encodeJson(tokenizerConfig(facts, special, model.block_size))],
    [FILES.state, writeTrainingState(trainingState(state))],
    [FILES.lineage, writeLineage(state.lineage ?? DEFAULT_LINEAGE)],
  ]);
  if (state.optimizer.size > 0) {
    files.set(FILES.optimizer, writeMoments(trainableShapes(model, extra), state.optimizer));
  }
  if (extra.size > 0) {
    const kept = toPeftTensors(model, scored ? withLanguageHead(state, extra) : extra);
    files.set(FILES.objective, writeObjectiveTensors(kept));
  }
  if (state.stage) files.set(FILES.stage, encodeJson(state.stage));
  if (state.chat_template) {
    files.set(FILES.chatTemplate, new TextEncoder().encode(state.chat_template));
  }
  if (state.metrics) files.set(FILES.metrics, new TextEncoder().encode(metricLines(state.metrics)));
  return files;
}

/**
 * Says whether transformers can open an export of this model, and in `notes` either what the export
 * changes or why it cannot.
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
    pad_token_id: state.pad_token_id ?? null,
  };
}

function configJson(
  model: ResolvedModel,
  special: SpecialTokens,
  plain: boolean,
): Record<string, unknown> {
  return plain || describeExport(model).plain
    ? hfConfig(model, special)
    : ownConfig(model, special);
}

function trainingState(state: CheckpointState): TrainingState {
  const { step, tokens, elapsed_seconds, config, lr_multiplier = 1 } = state;
  const { seed } = config.training;
  const { sample_seed } = config.sampling;
  const schedule: Record<string, number> = { ...state.schedule };
  if (lr_multiplier !== 1) schedule.lr_multiplier = lr_multiplier;
  return {
    version: STATE_VERSION,
    step,
    tokens,
    elapsed_seconds,
    best_val_loss: state.best_val_loss ?? null,
    schedule,
    seeds: { seed, sample_seed, ...state.seeds },
    data_position: { ...state.data_position },
    loss_scale: state.loss_scale ?? undefined,
    config,
  };
}

/**
 * Reads a folder that Terrarium wrote, or a GPT-2, Llama, Mistral or Qwen3 folder made elsewhere. The
 * latter starts at step 0 without moments, with a configuration derived from config.json. Throws
 * only CheckpointError.
 */
export function readCheckpoint(all: Files): ReadState {
  const files = findFolder(all);
  const json = parseJson(requireFile(files, FILES.config), FILES.config);
  const imported = modelFromHfConfig(json);
  const tokenizer = requireFile(files, FILES.tokenizer);
  const saved = files.get(FILES.state);
  const training = saved ? readTrainingState(saved) : null;
  const scored = describesScores(json);
  // A foreign reward model has no language head of its own.
  const foreign = scored ? { ...imported.model, tie_word_embeddings: true } : imported.model;
  const model = training ? savedModel(training.config.model, imported) : foreign;
  const facts = tokenizerFacts(tokenizer);
  checkVocabulary(facts, model.vocab_size);
  const chat = readChatFiles(files, facts, imported);
  const trained = trainedTensors(model, training ? files : NO_FILES);
  const parameters = scored
    ? importScored(model, files, trained.objective_tensors)
    : importTensors(model, weightTensors(files));
  const progress = training ? progressOf(training) : initialProgress(model);
  const lineage = files.get(FILES.lineage);
  const metrics = files.get(FILES.metrics);
  const state: ReadState = {
    ...progress,
    ...trained,
    model,
    parameters,
    tokenizer,
    eos_token_id: chat.eos_token_id,
    bos_token_id: chat.bos_token_id,
    lineage: lineage ? readLineage(lineage) : DEFAULT_LINEAGE,
    notes: [...imported.notes, ...chat.notes],
    foreign: training === null,
  };
  if (metrics) state.metrics = readMetrics(metrics);
  const stage = files.get(FILES.stage);
  if (stage) state.stage = parseRecord(stage, FILES.stage);
  if (chat.chat_template !== null) state.chat_template = chat.chat_template;
  if (chat.pad_token_id !== null) state.pad_token_id = chat.pad_token_id;
  return state.foreign ? withForeignAdapter(state, all) : state;
}

/** The parameters of a reward model; its score is added to the objective's tensors. */
function importScored(
  model: ResolvedModel,
  files: Files,
  extra: Map<string, ObjectiveTensor>,
): Map<string, Float32Array> {
  const { backbone, score } = splitScore(weightTensors(files), model);
  const parameters = new Map(importTensors({ ...model, tie_word_embeddings: true }, backbone));
  takeLanguageHead(model, parameters, extra);
  extra.set(SCORE, score);
  return parameters;
}

/** Largest metrics.jsonl that is read, in bytes: that of millions of steps. */
const MAX_METRICS = 2 ** 28;

function readMetrics(bytes: Uint8Array): MetricColumns {
  if (bytes.length > MAX_METRICS) {
    throw new CheckpointError(
      'too_large',
      `${FILES.metrics} has ${bytes.length} bytes, but the limit is ${MAX_METRICS}.`,
      'Remove it from the folder; the weights do not need it.',
    );
  }
  return parseMetricLines(new TextDecoder().decode(bytes));
}

function progressOf({ version: _version, schedule, ...state }: TrainingState) {
  const { lr_multiplier = 1, ...others } = schedule;
  return { ...state, schedule: others, lr_multiplier };
}

/** Where a foreign folder starts. */
function initialProgress(model: ResolvedModel) {
  return {
    config: foreignConfig(model),
    step: 0,
    tokens: 0,
    elapsed_seconds: 0,
    best_val_loss: null,
    lr_multiplier: 1,
    schedule: {},
    seeds: {},
    data_position: {},
  };
}

function foreignConfig(model: ResolvedModel): RunConfig {
  const config = defaultConfig();
  const tokenizer = { ...config.tokenizer, kind: 'imported' } as const;
  return { ...config, model: modelConfigOf(model), tokenizer };
}

function trainedTensors(model: ResolvedModel, files: Files) {
  const objective = files.get(FILES.objective);
  const objective_tensors = fromPeftTensors(
    model,
    objective ? readObjectiveTensors(objective) : NO_TENSORS,
  );
  return { objective_tensors, ...optimizerState(model, objective_tensors, files) };
}

/**
 * The moments. A run can do without them, so moments that cannot be used do not keep the weights
 * from being read.
 */
function optimizerState(model: ResolvedModel, extra: ObjectiveTensors, files: Files) {
  const none = new Map<string, Float32Array>();
  const bytes = files.get(FILES.optimizer);
  if (!bytes) return { optimizer: none };
  try {
    return { optimizer: readMoments(trainableShapes(model, extra), bytes) };
  } catch (error) {
    if (!(error instanceof CheckpointError)) throw error;
    return { optimizer: none, optimizer_problem: error.message };
  }
}
