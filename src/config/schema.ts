/**
 * RunConfig: everything that decides what a run computes, in the names of nanoGPT and Hugging Face.
 *
 * One schema gives the type, the defaults, the ranges (which are the limits of the form too) and
 * the validation of untrusted configurations (URL, checkpoint). Rules that involve several fields,
 * such as a width divisible by the heads, are in `check/`; explanations and citations in
 * `labels.ts`; presets in `presets.ts`.
 */
import * as v from 'valibot';

/** Version of the schema. Saved configurations of another version are refused. */
export const CONFIG_VERSION = 1;

const int = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), fallback);
const num = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max)), fallback);
const flag = (fallback: boolean) => v.optional(v.boolean(), fallback);
const choice = <const T extends readonly [string, ...string[]]>(options: T, fallback: T[number]) =>
  v.optional(v.picklist(options), fallback);

export const CORPORA = [
  'names',
  'moby_dick',
  'kjv',
  'sotu',
  'tiny_tales',
  'arithmetic',
  'own',
] as const;
export const TOKENIZERS = ['char', 'byte', 'bpe', 'imported'] as const;
export const LAYOUTS = ['gpt2', 'llama'] as const;
export const ACTIVATIONS = ['gelu_new', 'gelu', 'relu2', 'silu'] as const;
export const OPTIMIZERS = ['adamw', 'adam', 'sgd', 'muon'] as const;
export const SCHEDULES = ['constant', 'linear', 'cosine', 'wsd'] as const;
export const MIXED_PRECISION = ['no', 'fp16'] as const;
export const GRANULARITIES = ['full', 'selective'] as const;
export const BACKENDS = ['auto', 'webgpu', 'webgl', 'wasm', 'cpu'] as const;

export const DataSchema = v.strictObject({
  corpus: choice(CORPORA, 'names'),
  /** Seed of a generated corpus (tiny_tales, arithmetic). */
  corpus_seed: int(0, 2 ** 31 - 1, 1),
  /** Fraction of the documents held out for validation. */
  val_fraction: num(0.01, 0.5, 0.1),
});

export const TokenizerSchema = v.strictObject({
  kind: choice(TOKENIZERS, 'char'),
  /** Requested vocabulary of a BPE trained on the text. Other tokenizers ignore it. */
  vocab_size: int(256, 32768, 4096),
});

export const ModelSchema = v.strictObject({
  layout: choice(LAYOUTS, 'gpt2'),
  n_layer: int(1, 48, 4),
  n_head: int(1, 64, 4),
  /** Key/value heads (grouped-query attention, Llama layout); 0 means as many as n_head. */
  n_kv_head: int(0, 64, 0),
  n_embd: int(4, 4096, 128),
  /** Width of a head (Llama layout); 0 means n_embd / n_head. */
  head_dim: int(0, 256, 0),
  /**
   * Feed-forward width; 0 means 4 x n_embd (GPT-2) or 8/3 x n_embd rounded up to a multiple of 32
   * (Llama).
   */
  n_inner: int(0, 16384, 0),
  /** Context length in tokens. */
  block_size: int(4, 4096, 64),
  bias: flag(true),
  /** Biases of queries, keys and values alone (Qwen2, Llama layout). */
  qkv_bias: flag(false),
  tie_word_embeddings: flag(true),
  dropout: num(0, 0.9, 0),
  /** gelu_new, gelu or relu2 (GPT-2); silu or relu2 as the gate of the Llama feed-forward. */
  activation_function: choice(ACTIVATIONS, 'gelu_new'),
  qk_norm: flag(false),
  /** Each token attends to this many most recent tokens, itself included; 0 means all. */
  sliding_window: int(0, 4096, 0),
  rope_theta: num(100, 1e7, 10000),
  /** Llama 3's scaling of RoPE (`rope_type: llama3`) by this factor; 1 means none. */
  rope_factor: num(1, 128, 1),
  norm_eps: num(1e-8, 1e-2, 1e-5),
});

export const TrainingSchema = v.strictObject({
  optimizer: choice(OPTIMIZERS, 'adamw'),
  learning_rate: num(0, 10, 1e-3),
  min_lr: num(0, 10, 1e-4),
  lr_schedule: choice(SCHEDULES, 'cosine'),
  warmup_iters: int(0, 1_000_000, 100),
  /** Step at which the decay ends; 0 means max_iters. */
  lr_decay_iters: int(0, 100_000_000, 0),
  /** Fraction of the steps that the final decay of warmup-stable-decay (wsd) takes. */
  wsd_decay_fraction: num(0, 1, 0.2),
  batch_size: int(1, 4096, 16),
  gradient_accumulation_steps: int(1, 1024, 1),
  grad_clip: num(0, 1000, 1),
  weight_decay: num(0, 10, 0.1),
  beta1: num(0, 0.9999, 0.9),
  beta2: num(0, 0.99999, 0.95),
  epsilon: num(1e-12, 1e-2, 1e-8),
  /** Momentum of SGD and of Muon. */
  momentum: num(0, 0.9999, 0.9),
  /** Learning rate of the matrices under Muon; other parameters use learning_rate. */
  muon_learning_rate: num(0, 10, 0.02),
  seed: int(0, 2 ** 31 - 1, 1337),
  max_iters: int(1, 100_000_000, 1000),
  /** The run also stops after this many tokens or seconds; 0 means no such limit. */
  max_tokens: int(0, Number.MAX_SAFE_INTEGER, 0),
  max_seconds: int(0, 10_000_000, 0),
  eval_interval: int(1, 1_000_000, 100),
  /** Batches per evaluation. */
  eval_iters: int(1, 10_000, 10),
  /** The run stops after this many evaluations in a row without improvement; 0 means never. */
  early_stopping_patience: int(0, 10_000, 0),
  /** An evaluation is an improvement if the loss is lower than the best by more than this. */
  early_stopping_threshold: num(0, 100, 0),
  /** Recompute activations in the backward pass instead of storing them. */
  activation_checkpointing: flag(false),
  /**
   * Megatron-LM's. full: a block keeps its input alone. selective: all but the outputs of norms, of
   * QK-norm with RoPE and of gated activations, which cost next to nothing to compute again.
   */
  recompute_granularity: choice(GRANULARITIES, 'full'),
  /**
   * fp16: float16 activations and logits (WebGPU only). Weights, their gradients and optimizer
   * state stay float32.
   */
  mixed_precision: choice(MIXED_PRECISION, 'no'),
});

export const SamplingSchema = v.strictObject({
  /** Steps between samples; 0 means never. */
  sample_interval: int(0, 1_000_000, 100),
  prompts: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(2000))), v.maxLength(8)), ['']),
  max_new_tokens: int(1, 4096, 64),
  temperature: num(0, 10, 0.8),
  top_k: int(0, 100_000, 0),
  top_p: num(0, 1, 1),
  min_p: num(0, 1, 0),
  sample_seed: int(0, 2 ** 31 - 1, 42),
});

export const RuntimeSchema = v.strictObject({
  backend: choice(BACKENDS, 'auto'),
  /**
   * Most steps between automatic checkpoints (train/autosave.ts says when a run is saved earlier);
   * 0 means only when the tab is hidden or the run stops.
   */
  autosave_interval: int(0, 1_000_000, 250),
  /** Under fp16, run matmuls on the GPU's matrix units if the browser exposes them. */
  subgroup_matrices: flag(true),
});

export const RunConfigSchema = v.strictObject({
  version: v.optional(v.literal(CONFIG_VERSION), CONFIG_VERSION),
  data: v.optional(DataSchema, {}),
  tokenizer: v.optional(TokenizerSchema, {}),
  model: v.optional(ModelSchema, {}),
  training: v.optional(TrainingSchema, {}),
  sampling: v.optional(SamplingSchema, {}),
  runtime: v.optional(RuntimeSchema, {}),
});

export type RunConfig = v.InferOutput<typeof RunConfigSchema>;
export type DataConfig = RunConfig['data'];
export type TokenizerConfig = RunConfig['tokenizer'];
export type ModelConfig = RunConfig['model'];
export type TrainingConfig = RunConfig['training'];
export type SamplingConfig = RunConfig['sampling'];
export type RuntimeConfig = RunConfig['runtime'];
export type CorpusName = (typeof CORPORA)[number];
export type BackendName = Exclude<(typeof BACKENDS)[number], 'auto'>;

/** What the backward pass computes again. */
export type RecomputeGranularity = 'none' | (typeof GRANULARITIES)[number];

/** The two fields of a run as one. */
export const recomputeGranularity = (
  training: Pick<TrainingConfig, 'activation_checkpointing' | 'recompute_granularity'>,
): RecomputeGranularity =>
  training.activation_checkpointing ? training.recompute_granularity : 'none';

/** A configuration with every default filled in. */
export const defaultConfig = (): RunConfig => v.parse(RunConfigSchema, {});

/** A ModelConfig whose zeros ("the layout's default") are replaced by the values they stand for. */
export interface ResolvedModel extends ModelConfig {
  vocab_size: number;
  /** Never 0. A fraction if n_head does not divide n_embd, which `checkConfig` reports. */
  head_dim: number;
}

/** Replaces the zeros of a model by what they stand for. Never throws. */
export function resolveModel(model: ModelConfig, vocab_size: number): ResolvedModel {
  const isLlama = model.layout === 'llama';
  const sharesHeads = isLlama && model.n_kv_head > 0;
  return {
    ...model,
    n_kv_head: sharesHeads ? model.n_kv_head : model.n_head,
    n_inner: model.n_inner > 0 ? model.n_inner : defaultInner(model),
    vocab_size,
    head_dim: isLlama && model.head_dim > 0 ? model.head_dim : model.n_embd / model.n_head,
  };
}

/** The configuration of a resolved model; the width of a head is stated only if it is its own. */
export function modelConfigOf({ vocab_size: _, ...model }: ResolvedModel): ModelConfig {
  const isDerived = model.head_dim * model.n_head === model.n_embd;
  return { ...model, head_dim: isDerived ? 0 : model.head_dim };
}

/**
 * Feed-forward width of the layout: 4 x n_embd (GPT-2), or 8/3 x n_embd rounded up to a multiple of
 * 32 (Llama, whose gate makes three matrices instead of two).
 */
function defaultInner({ layout, n_embd }: ModelConfig): number {
  return layout === 'gpt2' ? 4 * n_embd : Math.ceil((8 * n_embd) / 3 / 32) * 32;
}
