/** Published models that can be planned, by the sizes in their config.json. */
import { defaultConfig, resolveModel, type ResolvedModel } from '../../config/index.ts';

export interface PublishedModel {
  id: string;
  title: string;
  model: ResolvedModel;
}

type Sizes = Pick<ResolvedModel, 'n_layer' | 'n_head' | 'n_embd' | 'block_size' | 'vocab_size'> &
  Partial<ResolvedModel>;

/** GPT-2 trains with a dropout of 0.1 (Radford et al. 2019), Llama without. */
function gpt2(sizes: Sizes): ResolvedModel {
  const model = { ...defaultConfig().model, layout: 'gpt2' as const, dropout: 0.1, ...sizes };
  return resolveModel(model, sizes.vocab_size);
}

function llama(sizes: Sizes): ResolvedModel {
  const model = {
    ...defaultConfig().model,
    layout: 'llama' as const,
    activation_function: 'silu' as const,
    bias: false,
    tie_word_embeddings: false,
    ...sizes,
  };
  return resolveModel(model, sizes.vocab_size);
}

const GPT2 = { block_size: 1024, vocab_size: 50257 };
const LLAMA_2 = { block_size: 4096, vocab_size: 32000 };
const LLAMA_3 = { block_size: 8192, vocab_size: 128256, n_kv_head: 8 };

/** Llama 2 of 7B parameters (Touvron et al. 2023): the model of "What would 7B take?". */
export const SEVEN_B = 'llama_2_7b';

export const PUBLISHED_MODELS: readonly PublishedModel[] = [
  {
    id: 'gpt2',
    title: 'GPT-2 small, 124M',
    model: gpt2({ ...GPT2, n_layer: 12, n_head: 12, n_embd: 768 }),
  },
  {
    id: 'gpt2_xl',
    title: 'GPT-2 XL, 1.6B',
    model: gpt2({ ...GPT2, n_layer: 48, n_head: 25, n_embd: 1600 }),
  },
  {
    id: SEVEN_B,
    title: 'Llama 2, 7B',
    model: llama({ ...LLAMA_2, n_layer: 32, n_head: 32, n_embd: 4096, n_inner: 11008 }),
  },
  {
    id: 'llama_3_8b',
    title: 'Llama 3, 8B',
    model: llama({ ...LLAMA_3, n_layer: 32, n_head: 32, n_embd: 4096, n_inner: 14336 }),
  },
  {
    id: 'llama_3_70b',
    title: 'Llama 3, 70B',
    model: llama({ ...LLAMA_3, n_layer: 80, n_head: 64, n_embd: 8192, n_inner: 28672 }),
  },
  {
    id: 'gpt3',
    title: 'GPT-3, 175B',
    model: gpt2({
      n_layer: 96,
      n_head: 96,
      n_embd: 12288,
      block_size: 2048,
      vocab_size: 51200,
      tie_word_embeddings: true,
    }),
  },
];
