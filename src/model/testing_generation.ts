/** Models and prompts for tests of generation. */
import { Store } from '../backend/index.ts';
import { defaultConfig, type ModelConfig, resolveModel } from '../config/index.ts';
import type { GenerationModel } from './cached_forward.ts';
import type { DecodeOptions, RowChoice } from './decoder.ts';
import { Generator } from './generate.ts';
import { initialValues, listParameters, rotaryTable } from './index.ts';

const VOCAB = 23;
const T = 8;
const sizes: Partial<ModelConfig> = { n_layer: 2, n_head: 2, n_embd: 16, block_size: T };
export const options: DecodeOptions = {
  temperature: 1,
  top_k: 0,
  top_p: 1,
  min_p: 0,
  sample_seed: 11,
  max_new_tokens: 16,
};
/** Shorter than the context, longer, equally long, one token, and exactly half of it. */
export const prompts = [
  [3, 1],
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  [8, 7, 6, 5, 4, 3, 2, 1],
  [22],
  [4, 4, 4, 4],
];

export interface TestedModel {
  source: GenerationModel;
  generator(): Promise<Generator>;
  dispose(): void;
}

/** A model whose matrices are ten times as large as usual, so that the next token depends on them. */
export function makeModel(config: Partial<ModelConfig> = {}): TestedModel {
  const model = resolveModel({ ...defaultConfig().model, ...sizes, ...config }, VOCAB);
  const parameters = listParameters(model);
  const weights = new Store('weights', parameters);
  const rotary = rotaryTable(model);
  for (const parameter of parameters) {
    const values = initialValues(parameter, 7);
    const isNorm = parameter.name.includes('norm') || parameter.name.includes('ln_');
    weights.write(parameter.name, isNorm ? values : values.map((value) => 10 * value));
    if (parameter.name.endsWith('qkv_proj.bias')) {
      weights.write(
        parameter.name,
        values.map((_, i) => Math.sin(i)),
      );
    }
  }
  const dispose = (): void => {
    weights.dispose();
    rotary?.dispose();
  };
  const source = { model, weights, rotary };
  return { source, generator: () => Generator.create(model, weights, rotary), dispose };
}

/** Generated ids of each row. */
export function generatedIds(
  generator: Generator,
  starts: readonly (readonly number[])[],
  changes: Partial<DecodeOptions> = {},
): Promise<number[][]> {
  return idsByRow(starts.length, generator.generateRows(starts, { ...options, ...changes }));
}

export async function idsByRow(
  count: number,
  choices: AsyncGenerator<RowChoice>,
): Promise<number[][]> {
  const rows = Array.from({ length: count }, (): number[] => []);
  for await (const { row, choice } of choices) rows[row]?.push(choice.id);
  return rows;
}

export async function collect<T>(items: AsyncGenerator<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Rotary positions, grouped queries, QK-norm and a sliding window. */
export const llama = {
  layout: 'llama',
  n_kv_head: 1,
  activation_function: 'silu',
  qk_norm: true,
  sliding_window: 5,
} as const satisfies Partial<ModelConfig>;

/** What Qwen2, Qwen3 and Llama 3.2 have besides. */
export const wideHeads = {
  layout: 'llama',
  n_kv_head: 1,
  head_dim: 12,
  activation_function: 'silu',
  qkv_bias: true,
  rope_theta: 17000,
  rope_factor: 2,
} as const satisfies Partial<ModelConfig>;
