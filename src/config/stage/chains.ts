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

/** Steps and rates of a stage; the rest is common to all of them. */
function training(learning_rate: number, batch_size: number, max_iters: number, more: object = {}) {
  return {
    learning_rate,
    min_lr: learning_rate / 20,
    warmup_iters: 20,
    batch_size,
    beta2: 0.99,
    max_iters,
    eval_interval: Math.ceil(max_iters / 5),
    eval_iters: 10,
    ...more,
  };
}

/** The likeliest answers show best what a stage of few steps has learned. */
const GREEDY = { max_new_tokens: 40, temperature: 0, sample_interval: 200 };
/** Preference stages change what is sampled. */
const SAMPLED = { max_new_tokens: 40, temperature: 1, sample_interval: 50 };

/** A base model of the tales: 0.26 million parameters. */
const TALES_BASE = {
  data: { corpus: 'tiny_tales' },
  tokenizer: { kind: 'bpe', vocab_size: 1024 },
  model: { layout: 'gpt2', n_layer: 4, n_head: 4, n_embd: 64, block_size: 64 },
  training: training(4e-3, 16, 500, { min_lr: 4e-4, warmup_iters: 50 }),
  sampling: { sample_interval: 250, max_new_tokens: 40, prompts: ['Once'] },
};

const STORIES = { task: 'tales', ask: 'stories', preference: 'constraint', size: 2000 };
const PAIRS = { ...STORIES, label_noise: 0.1 };

/** Learns to keep to a wish and to break it, so that its sampled stories can improve. */
const CARELESS = {
  id: 'careless',
  name: 'Tales, careless',
  parent: 'sft',
  stage: {
    objective: 'sft',
    dataset: { task: 'tales', ask: 'stories', size: 10_000, broken_share: 0.8 },
  },
  config: { training: training(2e-3, 32, 1000), sampling: SAMPLED },
};

export const CHAINS: readonly Chain[] = [
  {
    id: 'assistant',
    does:
      'A story teller learns to answer questions; a careless one learns from preferences (DPO, and PPO ' +
      'with a reward model) to keep to what was asked.',
    source: {
      name: 'From story teller to assistant',
      stages: [
        { id: 'base', name: 'Tales', config: TALES_BASE },
        {
          id: 'sft',
          name: 'Tales, answers',
          parent: 'base',
          stage: { objective: 'sft', dataset: { task: 'tales', size: 10_000 } },
          config: { training: training(4e-3, 32, 4000), sampling: GREEDY },
        },
        CARELESS,
        {
          id: 'reward',
          name: 'Tales, reward model',
          parent: 'sft',
          stage: { objective: 'reward', dataset: { ...PAIRS, size: 8000, margin: 4 } },
          config: { training: training(7e-4, 16, 2400), sampling: GREEDY },
        },
        {
          id: 'dpo',
          name: 'Tales, DPO',
          parent: 'careless',
          stage: { objective: 'dpo', dataset: PAIRS, dpo: { sft_weight: 1 } },
          config: { training: training(3e-4, 16, 250), sampling: SAMPLED },
        },
        {
          id: 'ppo',
          name: 'Tales, PPO',
          parent: 'careless',
          reward_model: 'reward',
          stage: {
            objective: 'ppo',
            dataset: STORIES,
            ppo: { response_length: 40, kl_coef: 0.15 },
          },
          config: {
            training: training(2e-4, 128, 200, { weight_decay: 0, warmup_iters: 0 }),
            sampling: SAMPLED,
          },
        },
      ],
    },
  },
  {
    id: 'trying',
    does:
      'A story teller that keeps to a wish less than half of the time improves by trying: code rewards ' +
      'the stories that keep to it (GRPO).',
    source: {
      name: 'Better by trying',
      stages: [
        { id: 'base', name: 'Tales', config: TALES_BASE },
        {
          ...CARELESS,
          id: 'half',
          name: 'Tales, half careless',
          parent: 'base',
          config: { training: training(4e-3, 32, 1000), sampling: SAMPLED },
          stage: {
            objective: 'sft',
            dataset: { task: 'tales', ask: 'stories', size: 10_000, broken_share: 0.35 },
          },
        },
        {
          id: 'grpo',
          name: 'Tales, GRPO',
          parent: 'half',
          stage: {
            objective: 'grpo',
            dataset: STORIES,
            grpo: { max_completion_length: 40 },
          },
          config: {
            training: training(2e-4, 16, 200, { weight_decay: 0, warmup_iters: 0 }),
            sampling: SAMPLED,
          },
        },
      ],
    },
  },
  {
    id: 'sums',
    does: 'Learns sums of three digits, the last digit first, until every held-out sum is right.',
    source: {
      name: 'Sums of three digits',
      stages: [
        {
          id: 'base',
          name: 'Sums',
          config: {
            data: { corpus: 'arithmetic' },
            tokenizer: { kind: 'char' },
            model: { layout: 'gpt2', n_layer: 4, n_head: 4, n_embd: 64, block_size: 32 },
            training: training(2e-3, 32, 200, { warmup_iters: 100 }),
            sampling: { sample_interval: 0 },
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
            training: training(3e-3, 128, 5000, { min_lr: 1e-4, warmup_iters: 50 }),
            sampling: { max_new_tokens: 8, temperature: 0, sample_interval: 1000 },
          },
        },
      ],
    },
  },
];

/** The recipe of a chain. */
export const recipeOf = ({ source }: Chain): Recipe => parseRecipe(source);
