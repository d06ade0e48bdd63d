/** Small seeded models and checkpoints. Imported only by tests. */
import {
  defaultConfig,
  resolveModel,
  type ModelConfig,
  type ResolvedModel,
} from '../config/index.ts';
import { listParameters, parameterSize } from '../model/parameters.ts';
import type { CheckpointState } from './checkpoint_state.ts';
import { CheckpointError } from './error.ts';

/** Uniform numbers in [0, 1) from a seed (mulberry32). */
export function seeded(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const VOCAB = 11;
/** The end-of-text token of `tinyTokenizer`. */
export const SPECIAL = { bos_token_id: 10, eos_token_id: 10 };

export const tinyTokenizer = {
  version: '1.0',
  added_tokens: [
    {
      id: 10,
      content: '<|endoftext|>',
      special: true,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    },
  ],
  normalizer: null,
  pre_tokenizer: null,
  post_processor: null,
  decoder: null,
  model: {
    type: 'BPE',
    vocab: Object.fromEntries([...'abcdefghij'].map((c, i) => [c, i])),
    merges: [],
  },
};

export function tinyModel(
  change: Partial<ModelConfig>,
  vocab_size = VOCAB,
): { config: ModelConfig; model: ResolvedModel } {
  const config: ModelConfig = {
    ...defaultConfig().model,
    n_layer: 2,
    n_head: 4,
    n_embd: 16,
    n_inner: 24,
    block_size: 8,
    ...change,
  };
  return { config, model: resolveModel(config, vocab_size) };
}

export const LAYOUTS: Record<string, Partial<ModelConfig>> = {
  gpt2: { layout: 'gpt2' },
  'gpt2 untied relu2': { layout: 'gpt2', tie_word_embeddings: false, activation_function: 'relu2' },
  'gpt2 without biases': { layout: 'gpt2', bias: false },
  llama: {
    layout: 'llama',
    activation_function: 'silu',
    n_kv_head: 2,
    rope_theta: 5000,
    tie_word_embeddings: false,
  },
  'llama tied relu2': { layout: 'llama', activation_function: 'relu2' },
  qwen3: { layout: 'llama', activation_function: 'silu', n_kv_head: 2, qk_norm: true },
  'qwen3 with a window': {
    layout: 'llama',
    activation_function: 'silu',
    qk_norm: true,
    sliding_window: 4,
  },
  mistral: { layout: 'llama', activation_function: 'silu', n_kv_head: 1, sliding_window: 5 },
  'gpt2 with exact gelu': { layout: 'gpt2', activation_function: 'gelu' },
  'qwen3 with wide heads': {
    layout: 'llama',
    activation_function: 'silu',
    n_kv_head: 2,
    head_dim: 6,
    qk_norm: true,
  },
  'llama 3': { layout: 'llama', activation_function: 'silu', n_kv_head: 2, rope_factor: 32 },
  qwen2: { layout: 'llama', activation_function: 'silu', n_kv_head: 2, qkv_bias: true },
  'gpt2 with qk_norm': { layout: 'gpt2', qk_norm: true },
  'gpt2 with a window': { layout: 'gpt2', sliding_window: 4, bias: false },
};

export function tinyState(
  change: Partial<ModelConfig>,
  seed = 1,
  vocab_size = VOCAB,
): CheckpointState {
  const { config: modelConfig, model } = tinyModel(change, vocab_size);
  const random = seeded(seed);
  const config = { ...defaultConfig(), model: modelConfig };
  const draw = (n: number) => Float32Array.from({ length: n }, () => random() - 0.5);
  const parameters = new Map<string, Float32Array>();
  const optimizer = new Map<string, Float32Array>();
  for (const parameter of listParameters(model)) {
    const { name } = parameter;
    const size = parameterSize(parameter);
    parameters.set(name, draw(size));
    optimizer.set(`exp_avg.${name}`, draw(size));
    optimizer.set(`exp_avg_sq.${name}`, draw(size).map(Math.abs));
  }
  return {
    config,
    model,
    parameters,
    optimizer,
    step: 120,
    tokens: 61440,
    elapsed_seconds: 12.5,
    tokenizer: tinyTokenizer,
    best_val_loss: 2.25,
    eos_token_id: 10,
    schedule: { learning_rate: 3e-4 },
    data_position: { epoch: 2 },
    metrics: {
      step: Float64Array.of(1, 2, 3),
      'train/loss': Float64Array.of(3.5, NaN, Infinity),
      lr: Float64Array.of(0.1, 0.2, 0.3),
    },
  };
}

/** The code of the CheckpointError that `action` throws. Rethrows all other errors. */
export function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof CheckpointError) return error.code;
    throw error;
  }
  throw new Error('nothing was thrown');
}

/** A safetensors file with an arbitrary header, valid or not. */
export function rawSafetensors(
  header: string,
  data: Uint8Array,
  length = BigInt(new TextEncoder().encode(header).length),
): Uint8Array {
  const json = new TextEncoder().encode(header);
  const file = new Uint8Array(8 + json.length + data.length);
  new DataView(file.buffer).setBigUint64(0, length, true);
  file.set(json, 8);
  file.set(data, 8 + json.length);
  return file;
}

/** Like `codeOf`, for a promise. */
export const codeOfAsync = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => {
      throw new Error('nothing was thrown');
    },
    (error: unknown) =>
      codeOf(() => {
        throw error;
      }),
  );
