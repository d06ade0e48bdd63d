/** A model with rollouts and the training programs that must agree with them. */
import { neg } from '@tensorflow/tfjs-core';
import { readback, submit } from '../backend/index.ts';
import type { Batch } from '../common/index.ts';
import { defaultConfig, type ModelConfig, resolveModel } from '../config/index.ts';
import { rowsBatch } from '../data/stages/batches.ts';
import {
  createStores,
  disposeStores,
  initialValues,
  hiddenStates,
  tokenLosses,
  type ModelStores,
  type StoreOptions,
  valueProgram,
  writeBatch,
} from '../model/index.ts';
import type { Rollout, RolloutRequest } from './types.ts';

export const VOCAB = 23;
const sizes: Partial<ModelConfig> = { n_layer: 2, n_head: 2, n_embd: 16, block_size: 32 };

export const MODELS = {
  gpt2: {},
  llama: {
    layout: 'llama',
    n_kv_head: 1,
    activation_function: 'silu',
    qk_norm: true,
    sliding_window: 5,
  },
} as const satisfies Record<string, Partial<ModelConfig>>;

/** Of different lengths, one of them twice. */
export const PROMPTS = [[3, 1], [1, 2, 3, 4, 5, 6, 7], [22], [4, 4, 4, 4], [3, 1]];

export const REQUEST: RolloutRequest = {
  prompts: PROMPTS,
  seed: 5,
  temperature: 1,
  max_new_tokens: 9,
  stop_id: 2,
};

/** A row holds the longest prompt and answer. */
const BLOCK = 16;

/** Weights five times as large as usual, so that the next token depends on the tokens before. */
export function makeStores(
  config: Partial<ModelConfig>,
  options: Partial<StoreOptions> = {},
): ModelStores {
  const model = resolveModel({ ...defaultConfig().model, ...sizes, ...config }, VOCAB);
  const batch = { batch_size: PROMPTS.length, block_size: BLOCK };
  const stores = createStores({ model, ...batch, ...options });
  for (const parameter of stores.weights.parameters) {
    const values = initialValues(parameter, 7);
    stores.weights.write(
      parameter.name,
      parameter.decay ? values.map((value) => 5 * value) : values,
    );
  }
  return stores;
}

/** Prompts with their answers as rows of a training batch, padded on the right. */
function batchOf(rollouts: readonly Rollout[]): Batch {
  const rows = rollouts.map(({ ids }, row) => {
    const all = Int32Array.from([...(PROMPTS[row] ?? []), ...ids]);
    return { ids: all, mask: new Uint8Array(all.length).fill(1) };
  });
  const shape = { batch_size: PROMPTS.length, block_size: BLOCK, pad_token_id: 0 };
  return rowsBatch(rows, shape, 0);
}

/** Log-probability of each token of the answers by the training programs. */
export async function trainedLogps(
  stores: ModelStores,
  rollouts: readonly Rollout[],
  temperature: number,
): Promise<number[][]> {
  const program = await valueProgram(
    stores,
    { name: 'logps', reference: null },
    ({ forward, logits_chunk }) =>
      neg(tokenLosses(forward, hiddenStates(forward), logits_chunk, temperature).loss),
  );
  writeBatch(stores.inputs, stores.model, batchOf(rollouts), { seed: 0, step: 0 });
  submit([program]);
  const [values = new Float32Array()] = await readback([program.outputs.values]);
  program.dispose();
  return rollouts.map(({ ids }, row) => {
    const first = row * BLOCK + (PROMPTS[row]?.length ?? 0) - 1;
    return Array.from(values.slice(first, first + ids.length));
  });
}

/** Largest |ratio - 1| of the first epoch: of exp(trained - sampled). */
export function largestRatioError(
  rollouts: readonly Rollout[],
  trained: readonly (readonly number[])[],
): number {
  const errors = rollouts.flatMap(({ logps }, row) =>
    Array.from(logps, (logp, i) => Math.abs(Math.exp((trained[row]?.[i] ?? NaN) - logp) - 1)),
  );
  return Math.max(...errors);
}

export { disposeStores };
