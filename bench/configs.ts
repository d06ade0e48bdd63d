/**
 * The configurations of all comparisons: GPT-2 layout, biases, tied head, tanh-GELU, no dropout,
 * gradients clipped to a norm of 1, AdamW. SmolLM2 and Qwen3 have the shapes of pretrained models.
 */
import {
  type BackendName,
  defaultConfig,
  type ModelConfig,
  type RecomputeGranularity,
  type RunConfig,
} from '../src/config/index.ts';
import type { StageConfig } from '../src/config/stage/index.ts';
import type { TokenSplit } from '../src/data/index.ts';

/**
 * `V` is M with the vocabulary of GPT-2, whose logits are computed in chunks. `tiny` is for testing
 * the bench itself: software adapters run it in seconds. `N` has the sizes of the preset *Names*.
 * `SmolLM2` is SmolLM2-135M and `Qwen3` is Qwen3-0.6B, over 4 rows of 256 tokens.
 */
export const CONFIGS = {
  N: {
    vocab_size: 28,
    n_embd: 64,
    n_head: 4,
    n_inner: 256,
    n_layer: 2,
    block_size: 16,
    batch_size: 32,
  },
  T: {
    vocab_size: 65,
    n_embd: 128,
    n_head: 4,
    n_inner: 512,
    n_layer: 4,
    block_size: 64,
    batch_size: 12,
  },
  S: {
    vocab_size: 10000,
    n_embd: 128,
    n_head: 8,
    n_inner: 256,
    n_layer: 6,
    block_size: 128,
    batch_size: 16,
  },
  M: {
    vocab_size: 8192,
    n_embd: 384,
    n_head: 6,
    n_inner: 1536,
    n_layer: 6,
    block_size: 256,
    batch_size: 32,
  },
  V: {
    vocab_size: 50257,
    n_embd: 384,
    n_head: 6,
    n_inner: 1536,
    n_layer: 6,
    block_size: 256,
    batch_size: 32,
  },
  SmolLM2: {
    vocab_size: 49152,
    n_embd: 576,
    n_head: 9,
    n_inner: 1536,
    n_layer: 30,
    block_size: 256,
    batch_size: 4,
  },
  Qwen3: {
    vocab_size: 151936,
    n_embd: 1024,
    n_head: 16,
    n_inner: 3072,
    n_layer: 28,
    block_size: 256,
    batch_size: 4,
  },
  tiny: {
    vocab_size: 30,
    n_embd: 16,
    n_head: 2,
    n_inner: 32,
    n_layer: 1,
    block_size: 8,
    batch_size: 4,
  },
} as const;
export type ConfigName = keyof typeof CONFIGS;
export const CONFIG_NAMES = ['N', 'T', 'S', 'M', 'V', 'SmolLM2', 'Qwen3', 'tiny'] as const;

/** What configurations have that are not of the GPT-2 layout. */
const LLAMAS: Partial<Record<ConfigName, Partial<ModelConfig>>> = {
  SmolLM2: { n_kv_head: 3 },
  Qwen3: { n_kv_head: 8, head_dim: 128, qk_norm: true, rope_theta: 1e6, norm_eps: 1e-6 },
};
const LLAMA = { layout: 'llama', bias: false, activation_function: 'silu' } as const;

export type Sizes = { [K in keyof (typeof CONFIGS)['T']]: number };

/**
 * `replay`: our kernels, traced and replayed. `op_by_op`: the same kernels, dispatched one by one.
 * `reference`: tfjs's kernels, op by op, except that our kernel adds to the gradient buffers. Only
 * WebGPU and wasm (our engine on the processor) have more than `reference`.
 */
export const MODES = ['replay', 'op_by_op', 'reference'] as const;
export type Mode = (typeof MODES)[number];

export type Precision = RunConfig['training']['mixed_precision'];

export interface BenchOptions {
  config: ConfigName;
  backend: BackendName;
  mode: Mode;
  /** Timed steps; fewer if the time limit of `seconds` is reached first. */
  steps: number;
  seconds: number;
  seed: number;
  /** Measure GPU time by kernel, if the device has timestamp queries. */
  profile: boolean;
  /** Activations that the backward pass computes again. */
  recompute: RecomputeGranularity;
  /** Rank of LoRA adapters over all linear layers of a frozen base; 0 trains all parameters. */
  lora: number;
  /** How the frozen base under adapters is kept; float16 on WebGPU. */
  dtype: StageConfig['peft']['dtype'];
  /**
   * Milliseconds to tune matmuls before the programs are compiled, which delays the first loss; 0
   * for the default plans.
   */
  tune: number;
  /** fp16: activations and logits are stored as float16, on WebGPU. */
  precision: Precision;
  /** Threads of the engine on the processor; 0 for as many as are fastest. */
  threads: number;
  /** Largest square matmul of the peak measurement; 0 skips it. */
  peak: number;
}

export function runConfig(
  name: ConfigName,
  seed: number,
  recompute: RecomputeGranularity = 'none',
  mixed_precision: Precision = 'no',
): RunConfig {
  const { batch_size, vocab_size: _tokenizer, ...sizes } = CONFIGS[name];
  const config = defaultConfig();
  Object.assign(config.model, {
    layout: 'gpt2',
    ...sizes,
    bias: true,
    tie_word_embeddings: true,
    dropout: 0,
    activation_function: 'gelu_new',
  });
  const llama = LLAMAS[name];
  if (llama) Object.assign(config.model, LLAMA, llama);
  Object.assign(config.training, {
    optimizer: 'adamw',
    learning_rate: 3e-4,
    min_lr: 3e-4,
    lr_schedule: 'constant',
    warmup_iters: 0,
    batch_size,
    gradient_accumulation_steps: 1,
    grad_clip: 1,
    weight_decay: 0.1,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    seed,
    activation_checkpointing: recompute !== 'none',
    recompute_granularity: recompute === 'none' ? 'full' : recompute,
    mixed_precision,
  });
  return config;
}

/** Uniform random tokens: the time of a step does not depend on them. */
export function randomTokens(name: ConfigName, seed: number): TokenSplit {
  const { vocab_size, block_size } = CONFIGS[name];
  const next = mulberry(seed);
  const ids = (n: number): Int32Array =>
    Int32Array.from({ length: n }, () => Math.floor(next() * vocab_size));
  return {
    train: ids(2 ** 17),
    val: ids(2 * block_size + 2),
    bytes_per_token: new Uint16Array(vocab_size).fill(1),
  };
}

/** Uniform random numbers in [0, 1), by the generator mulberry32. */
export function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = Math.imul(state ^ (state >>> 15), state | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
}
