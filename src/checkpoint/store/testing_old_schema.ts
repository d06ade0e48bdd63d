/**
 * The configuration schema of commit ae06748, as it was then. It must not follow today's: a page of
 * that version refuses every field that is not here. Imported only by tests.
 */
import * as v from 'valibot';

const CONFIG_VERSION = 1;

const int = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.integer(), v.minValue(min), v.maxValue(max)), fallback);
const num = (min: number, max: number, fallback: number) =>
  v.optional(v.pipe(v.number(), v.finite(), v.minValue(min), v.maxValue(max)), fallback);
const flag = (fallback: boolean) => v.optional(v.boolean(), fallback);
const choice = <const T extends readonly [string, ...string[]]>(options: T, fallback: T[number]) =>
  v.optional(v.picklist(options), fallback);

const CORPORA = ['names', 'moby_dick', 'kjv', 'sotu', 'tiny_tales', 'arithmetic', 'own'] as const;
const TOKENIZERS = ['char', 'byte', 'bpe', 'imported'] as const;
const LAYOUTS = ['gpt2', 'llama'] as const;
const ACTIVATIONS = ['gelu_new', 'relu2', 'silu'] as const;
const OPTIMIZERS = ['adamw', 'adam', 'sgd', 'muon'] as const;
const SCHEDULES = ['constant', 'linear', 'cosine', 'wsd'] as const;
const MIXED_PRECISION = ['no', 'fp16'] as const;
const BACKENDS = ['auto', 'webgpu', 'webgl', 'wasm', 'cpu'] as const;

const DataSchema = v.strictObject({
  corpus: choice(CORPORA, 'names'),
  corpus_seed: int(0, 2 ** 31 - 1, 1),
  val_fraction: num(0.01, 0.5, 0.1),
});

const TokenizerSchema = v.strictObject({
  kind: choice(TOKENIZERS, 'char'),
  vocab_size: int(256, 32768, 4096),
});

const ModelSchema = v.strictObject({
  layout: choice(LAYOUTS, 'gpt2'),
  n_layer: int(1, 48, 4),
  n_head: int(1, 64, 4),
  n_kv_head: int(0, 64, 0),
  n_embd: int(4, 4096, 128),
  n_inner: int(0, 16384, 0),
  block_size: int(4, 4096, 64),
  bias: flag(true),
  tie_word_embeddings: flag(true),
  dropout: num(0, 0.9, 0),
  activation_function: choice(ACTIVATIONS, 'gelu_new'),
  qk_norm: flag(false),
  sliding_window: int(0, 4096, 0),
  rope_theta: num(100, 1e7, 10000),
  norm_eps: num(1e-8, 1e-2, 1e-5),
});

const TrainingSchema = v.strictObject({
  optimizer: choice(OPTIMIZERS, 'adamw'),
  learning_rate: num(0, 10, 1e-3),
  min_lr: num(0, 10, 1e-4),
  lr_schedule: choice(SCHEDULES, 'cosine'),
  warmup_iters: int(0, 1_000_000, 100),
  lr_decay_iters: int(0, 100_000_000, 0),
  wsd_decay_fraction: num(0, 1, 0.2),
  batch_size: int(1, 4096, 16),
  gradient_accumulation_steps: int(1, 1024, 1),
  grad_clip: num(0, 1000, 1),
  weight_decay: num(0, 10, 0.1),
  beta1: num(0, 0.9999, 0.9),
  beta2: num(0, 0.99999, 0.95),
  epsilon: num(1e-12, 1e-2, 1e-8),
  momentum: num(0, 0.9999, 0.9),
  muon_learning_rate: num(0, 10, 0.02),
  seed: int(0, 2 ** 31 - 1, 1337),
  max_iters: int(1, 100_000_000, 1000),
  max_tokens: int(0, Number.MAX_SAFE_INTEGER, 0),
  max_seconds: int(0, 10_000_000, 0),
  eval_interval: int(1, 1_000_000, 100),
  eval_iters: int(1, 10_000, 10),
  activation_checkpointing: flag(false),
  mixed_precision: choice(MIXED_PRECISION, 'no'),
});

const SamplingSchema = v.strictObject({
  sample_interval: int(0, 1_000_000, 100),
  prompts: v.optional(v.pipe(v.array(v.pipe(v.string(), v.maxLength(2000))), v.maxLength(8)), ['']),
  max_new_tokens: int(1, 4096, 64),
  temperature: num(0, 10, 0.8),
  top_k: int(0, 100_000, 0),
  top_p: num(0, 1, 1),
  min_p: num(0, 1, 0),
  sample_seed: int(0, 2 ** 31 - 1, 42),
});

const RuntimeSchema = v.strictObject({
  backend: choice(BACKENDS, 'auto'),
  autosave_interval: int(0, 1_000_000, 250),
  subgroup_matrices: flag(true),
});

export const OldConfigSchema = v.strictObject({
  version: v.optional(v.literal(CONFIG_VERSION), CONFIG_VERSION),
  data: v.optional(DataSchema, {}),
  tokenizer: v.optional(TokenizerSchema, {}),
  model: v.optional(ModelSchema, {}),
  training: v.optional(TrainingSchema, {}),
  sampling: v.optional(SamplingSchema, {}),
  runtime: v.optional(RuntimeSchema, {}),
});
