/**
 * RunConfig: everything that decides what a run computes, in the names of nanoGPT and Hugging Face.
 *
 * One schema gives the type, the defaults, the ranges (from which the form takes its limits) and
 * the reader of untrusted configurations (URL, checkpoint). `cross-field` rules (a width divisible
 * by the heads, say) are in `check.ts`; labels, one-line explanations and citations in `labels.ts`;
 * presets in `presets.ts`.
 */
import * as v from 'valibot';

/** Raised when a saved configuration of another, unknown version is read. */
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
export const ACTIVATIONS = ['gelu_new', 'relu2', 'silu'] as const;
export const OPTIMIZERS = ['adamw', 'adam', 'sgd', 'muon'] as const;
export const SCHEDULES = ['constant', 'linear', 'cosine', 'wsd'] as const;
export const MIXED_PRECISION = ['no', 'fp16'] as const;
export const BACKENDS = ['auto', 'webgpu', 'webgl', 'wasm', 'cpu'] as const;

export const DataSchema = v.strictObject({
  corpus: choice(CORPORA, 'names'),
  /** Seed of a generated corpus (tiny_tales, arithmetic). */
  corpus_seed: int(0, 2 ** 31 - 1, 1),
  /** Share of the documents held out for validation. */
  val_fraction: num(0.01, 0.5, 0.1),
});

export const TokenizerSchema = v.strictObject({
  kind: choice(TOKENIZERS, 'char'),
  /** Asked-for vocabulary of a trained BPE; the others have the size that the text gives. */
  vocab_size: int(256, 32768, 4096),
});

export const ModelSchema = v.strictObject({
  layout: choice(LAYOUTS, 'gpt2'),
  n_layer: int(1, 48, 4),
  n_head: int(1, 64, 4),
  /** Key/value heads (grouped-query attention, Llama layout); 0 means as many as n_head. */
  n_kv_head: int(0, 64, 0),
  n_embd: int(4, 4096, 128),
  /**
   * Feed-forward width; 0 means 4 x n_embd (GPT-2) or 8/3 x n_embd rounded up to a multiple of 32
   * (Llama).
   */
  n_inner: int(0, 16384, 0),
  /** Context length in tokens. */
  block_size: int(4, 4096, 64),
  bias: flag(true),
  tie_word_embeddings: flag(true),
  dropout: num(0, 0.9, 0),
  /** gelu_new or relu2 (GPT-2); silu or relu2 as the gate of the Llama feed-forward. */
  activation_function: choice(ACTIVATIONS, 'gelu_new'),
  qk_norm: flag(false),
  /** Attend to this many latest tokens only; 0 means all. */
  sliding_window: int(0, 4096, 0),
  rope_theta: num(100, 1e7, 10000),
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
  /** Share of the steps spent going down at the end of warm-up/stable/decay. */
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
  /** Learning rate of the matrices under Muon; the rest takes learning_rate. */
  muon_learning_rate: num(0, 10, 0.02),
  seed: int(0, 2 ** 31 - 1, 1337),
  max_iters: int(1, 100_000_000, 1000),
  /** Stop after this many tokens or seconds as well; 0 means no such limit. */
  max_tokens: int(0, Number.MAX_SAFE_INTEGER, 0),
  max_seconds: int(0, 10_000_000, 0),
  eval_interval: int(1, 1_000_000, 100),
  /** Batches of one evaluation. */
  eval_iters: int(1, 10_000, 10),
  /** Re-run each block in the backward pass instead of keeping its activations. */
  activation_checkpointing: flag(false),
  /**
   * fp16: activations and logits in half precision (WebGPU alone); weights, gradients of weights
   * and optimizer state stay float32.
   */
  mixed_precision: choice(MIXED_PRECISION, 'no'),
});

export const SamplingSchema = v.strictObject({
  /** Steps between two samples; 0 means never. */
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
   * Steps between two automatic checkpoints; 0 means only when the tab is hidden or the run stops.
   */
  autosave_interval: int(0, 1_000_000, 250),
  /** Under fp16: matrix products on the GPU's matrix units, where it offers them. */
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

/** A configuration with every default filled in. */
export const defaultConfig = (): RunConfig => v.parse(RunConfigSchema, {});

/**
 * ModelConfig with the zeros ("as the layout does it") resolved, as the model and the plan need it.
 */
export interface ResolvedModel extends ModelConfig {
  vocab_size: number;
  head_dim: number;
}

/** Fills in what 0 stands for. Throws nothing: `check.ts` says beforehand what does not fit. */
export function resolveModel(model: ModelConfig, vocab_size: number): ResolvedModel {
  const n_kv_head =
    model.layout === 'gpt2' || model.n_kv_head === 0 ? model.n_head : model.n_kv_head;
  const n_inner =
    model.n_inner > 0
      ? model.n_inner
      : model.layout === 'gpt2'
        ? 4 * model.n_embd
        : Math.ceil((8 * model.n_embd) / 3 / 32) * 32;
  return { ...model, n_kv_head, n_inner, vocab_size, head_dim: model.n_embd / model.n_head };
}
