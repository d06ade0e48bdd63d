/**
 * Ready-made recipes. Sizes, learning rates and steps are those of `bench/alignment/`, which has the
 * results of three seeds.
 */
import { parseRecipe, type Recipe } from './recipe.ts';

export interface Chain {
  id: string;
  /** What happens, in one sentence. */
  does: string;
  /** What `parseRecipe` reads. */
  source: unknown;
}

const QUICK_SAMPLING = { max_new_tokens: 24, temperature: 0, sample_interval: 0 };

/** A base model of the tales, of 0.2 million parameters. */
const TALES_BASE = {
  data: { corpus: 'tiny_tales' },
  tokenizer: { kind: 'bpe', vocab_size: 512 },
  model: { layout: 'gpt2', n_layer: 4, n_head: 4, n_embd: 64, block_size: 128 },
  training: {
    learning_rate: 3e-3,
    min_lr: 3e-4,
    warmup_iters: 50,
    batch_size: 16,
    beta2: 0.99,
    max_iters: 1000,
    eval_interval: 250,
    eval_iters: 5,
  },
  sampling: { sample_interval: 500, max_new_tokens: 48, prompts: ['Once'] },
};

export const CHAINS: readonly Chain[] = [
  {
    id: 'assistant',
    does: 'From a story teller to an assistant: learns to answer, then to keep what a story was asked to have.',
    source: {
      name: 'From story teller to assistant',
      stages: [
        { id: 'base', name: 'Tales', config: TALES_BASE },
        {
          id: 'sft',
          name: 'Tales, answers',
          parent: 'base',
          stage: { objective: 'sft', dataset: { task: 'tales', size: 10_000 } },
          config: {
            training: { learning_rate: 3e-3, batch_size: 32, max_iters: 1500, eval_interval: 250 },
            sampling: { max_new_tokens: 48, temperature: 0, sample_interval: 500 },
          },
        },
        {
          id: 'reward',
          name: 'Tales, reward model',
          parent: 'sft',
          stage: {
            objective: 'reward',
            dataset: { task: 'tales', preference: 'constraint', size: 2000, label_noise: 0.1 },
          },
          config: { training: { learning_rate: 1e-3, batch_size: 16, max_iters: 250 } },
        },
        {
          id: 'dpo',
          name: 'Tales, DPO',
          parent: 'sft',
          stage: {
            objective: 'dpo',
            dataset: { task: 'tales', preference: 'constraint', size: 2000, label_noise: 0.1 },
          },
          config: { training: { learning_rate: 3e-4, batch_size: 16, max_iters: 250 } },
        },
      ],
    },
  },
  {
    id: 'sums',
    does: 'Learns three-digit sums from examples until some are right, then improves by trying (GRPO).',
    source: {
      name: 'Sums by trying',
      stages: [
        {
          id: 'base',
          name: 'Sums',
          config: {
            data: { corpus: 'arithmetic' },
            tokenizer: { kind: 'char' },
            model: { layout: 'gpt2', n_layer: 3, n_head: 4, n_embd: 64, block_size: 32 },
            training: { learning_rate: 2e-3, batch_size: 32, max_iters: 300, eval_interval: 100 },
            sampling: QUICK_SAMPLING,
          },
        },
        {
          id: 'sft',
          name: 'Sums, three digits',
          parent: 'base',
          stage: {
            objective: 'sft',
            dataset: { task: 'arithmetic', digits: 3, format: 'reversed', size: 10_000 },
          },
          config: {
            training: { learning_rate: 2e-3, batch_size: 64, max_iters: 600, eval_interval: 100 },
            sampling: QUICK_SAMPLING,
          },
        },
        {
          id: 'grpo',
          name: 'Sums, GRPO',
          parent: 'sft',
          stage: {
            objective: 'grpo',
            dataset: { task: 'arithmetic', digits: 3, format: 'reversed', size: 10_000 },
            grpo: { max_completion_length: 8 },
          },
          config: {
            training: { learning_rate: 1e-4, batch_size: 16, max_iters: 200, eval_interval: 25 },
            sampling: QUICK_SAMPLING,
          },
        },
      ],
    },
  },
];

/** The recipe of a chain. */
export const recipeOf = ({ source }: Chain): Recipe => parseRecipe(source);
