/** Models and training that several tests of this folder share. */
import {
  defaultConfig,
  type ModelConfig,
  resolveModel,
  type ResolvedModel,
} from '../../config/index.ts';
import { ONE_RANK, type Mesh } from './mesh.ts';
import { PUBLISHED_MODELS } from './published.ts';
import { DEFAULT_FRAGMENTATION, type ParallelTraining } from './training.ts';

export function modelOf(changes: Partial<ModelConfig>, vocab_size = 96): ResolvedModel {
  return resolveModel({ ...defaultConfig().model, ...changes }, vocab_size);
}

export function published(id: string): ResolvedModel {
  const found = PUBLISHED_MODELS.find((one) => one.id === id);
  if (!found) throw new Error(`There is no published model ${id}.`);
  return found.model;
}

export const trainingWith = (changes: Partial<ParallelTraining> = {}): ParallelTraining => ({
  precision: 'fp32',
  optimizer: 'adamw',
  momentum: 0.9,
  recompute_granularity: 'none',
  batch_size: 8,
  gradient_accumulation_steps: 1,
  fragmentation: DEFAULT_FRAGMENTATION,
  ...changes,
});

export const meshOf = (changes: Partial<Mesh>): Mesh => ({ ...ONE_RANK, ...changes });

export const LAYOUTS = [
  ['gpt2', modelOf({})],
  ['gpt2 without biases, untied', modelOf({ bias: false, tie_word_embeddings: false })],
  ['llama', modelOf({ layout: 'llama', activation_function: 'silu' })],
  [
    'llama with shared key/value heads, biases and an untied head',
    modelOf({
      layout: 'llama',
      activation_function: 'silu',
      n_kv_head: 2,
      qkv_bias: true,
      tie_word_embeddings: false,
    }),
  ],
  ['llama with QK-norm', modelOf({ layout: 'llama', activation_function: 'silu', qk_norm: true })],
] as const satisfies readonly (readonly [string, ResolvedModel])[];
