/** Ready-made runs. Each configuration lists what differs from the defaults. */
import { parseConfig } from './parse.ts';
import type { RunConfig } from './schema.ts';

export interface Preset {
  id: string;
  title: string;
  /** What the model learns, in one sentence. */
  learns: string;
  config: RunConfig;
}

const preset = (id: string, title: string, learns: string, config: unknown): Preset => ({
  id,
  title,
  learns,
  config: parseConfig(config),
});

export const PRESETS: readonly Preset[] = [
  /* @__PURE__ */ preset('names', 'Names', 'Studies 4,940 first names and invents new ones.', {
    data: { corpus: 'names' },
    tokenizer: { kind: 'char' },
    model: { layout: 'gpt2', n_layer: 2, n_head: 4, n_embd: 64, block_size: 16 },
    training: {
      optimizer: 'adamw',
      learning_rate: 4e-3,
      min_lr: 4e-4,
      lr_schedule: 'cosine',
      warmup_iters: 20,
      batch_size: 32,
      beta2: 0.99,
      weight_decay: 0.1,
      max_iters: 400,
      eval_interval: 50,
      eval_iters: 10,
    },
    sampling: { sample_interval: 50, max_new_tokens: 48, temperature: 0.8 },
    runtime: { autosave_interval: 200 },
  }),
  // Hyperparameters of nanoGPT's config/train_shakespeare_char.py, on another text.
  /* @__PURE__ */ preset(
    'novel_char',
    'A novel, by character',
    'Learns spelling, then words, then the style of a whaling novel, one character at a time.',
    {
      data: { corpus: 'moby_dick' },
      tokenizer: { kind: 'char' },
      model: {
        layout: 'gpt2',
        n_layer: 6,
        n_head: 6,
        n_embd: 384,
        block_size: 256,
        dropout: 0.2,
        bias: false,
      },
      training: {
        optimizer: 'adamw',
        learning_rate: 1e-3,
        min_lr: 1e-4,
        lr_schedule: 'cosine',
        warmup_iters: 100,
        lr_decay_iters: 5000,
        max_iters: 5000,
        batch_size: 64,
        gradient_accumulation_steps: 1,
        beta1: 0.9,
        beta2: 0.99,
        weight_decay: 0.1,
        grad_clip: 1,
        eval_interval: 250,
        eval_iters: 200,
      },
      sampling: { sample_interval: 250, max_new_tokens: 200, prompts: ['The whale '] },
    },
  ),
  /* @__PURE__ */ preset(
    'classic',
    'The classic',
    'Learns the sentences of a novel from word pieces, with the small transformer that many courses build.',
    {
      data: { corpus: 'moby_dick' },
      tokenizer: { kind: 'bpe', vocab_size: 10000 },
      model: { layout: 'gpt2', n_layer: 6, n_head: 8, n_embd: 128, n_inner: 256, block_size: 128 },
      training: {
        optimizer: 'adam',
        learning_rate: 1e-3,
        min_lr: 1e-3,
        lr_schedule: 'constant',
        warmup_iters: 0,
        batch_size: 16,
        beta2: 0.999,
        weight_decay: 0,
        grad_clip: 0,
        max_iters: 2000,
      },
      sampling: { max_new_tokens: 64, prompts: ['The whale'] },
    },
  ),
  /* @__PURE__ */ preset(
    'tiny_tales',
    'Tiny tales',
    'Learns from generated short stories to tell one with consistent people, places and goals.',
    {
      data: { corpus: 'tiny_tales' },
      tokenizer: { kind: 'bpe', vocab_size: 512 },
      model: { layout: 'gpt2', n_layer: 4, n_head: 4, n_embd: 128, block_size: 128 },
      training: { learning_rate: 2e-3, min_lr: 2e-4, batch_size: 16, beta2: 0.99, max_iters: 2000 },
      sampling: { max_new_tokens: 96, prompts: ['', 'Once'] },
    },
  ),
  /* @__PURE__ */ preset(
    'arithmetic',
    'Arithmetic',
    'Learns to add, subtract, multiply and divide numbers below a hundred from worked examples.',
    {
      data: { corpus: 'arithmetic' },
      tokenizer: { kind: 'char' },
      model: { layout: 'gpt2', n_layer: 3, n_head: 4, n_embd: 128, block_size: 32 },
      training: { learning_rate: 2e-3, min_lr: 1e-4, batch_size: 64, beta2: 0.99, max_iters: 3000 },
      sampling: { max_new_tokens: 16, temperature: 0, prompts: ['12+34=', '58+67='] },
    },
  ),
  /* @__PURE__ */ preset(
    'small_llama',
    'Small Llama',
    'Learns the language of Bible verses with the building blocks of large models: the Llama architecture.',
    {
      data: { corpus: 'kjv' },
      tokenizer: { kind: 'bpe', vocab_size: 2048 },
      model: {
        layout: 'llama',
        n_layer: 6,
        n_head: 6,
        n_kv_head: 2,
        n_embd: 192,
        block_size: 128,
        activation_function: 'silu',
        tie_word_embeddings: true,
      },
      training: {
        learning_rate: 2e-3,
        min_lr: 2e-4,
        lr_schedule: 'wsd',
        batch_size: 16,
        max_iters: 3000,
      },
      sampling: { max_new_tokens: 64, prompts: ['And the LORD said'] },
    },
  ),
];
