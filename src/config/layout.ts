/** Fields that depend on the layout: what they become if the layout is changed. */
import type { FieldPath, FieldValue } from './fields.ts';
import type { ModelConfig } from './schema.ts';

/** Activation functions of each layout; the first is the layout's own. */
export const ACTIVATIONS_OF = {
  gpt2: ['gelu_new', 'gelu', 'relu2'],
  llama: ['silu', 'relu2'],
} as const satisfies Record<ModelConfig['layout'], readonly ModelConfig['activation_function'][]>;

/** Options that only the Llama layout has, with the values that turn them off. */
const LLAMA_ONLY = {
  'model.n_kv_head': 0,
  'model.head_dim': 0,
  'model.qkv_bias': false,
  'model.rope_factor': 1,
  'model.qk_norm': false,
  'model.sliding_window': 0,
} as const satisfies Partial<Record<FieldPath, FieldValue>>;

/** Those with one value that turns them off; n_kv_head may also equal n_head. */
const SWITCHED_OFF = [
  'model.head_dim',
  'model.qkv_bias',
  'model.rope_factor',
  'model.qk_norm',
  'model.sliding_window',
] as const;

export type LlamaOnly = keyof typeof LLAMA_ONLY;

/** The value that turns an option of the Llama layout off. */
export const offValue = (path: LlamaOnly): FieldValue => LLAMA_ONLY[path];

const isSupported = ({ layout, activation_function }: ModelConfig): boolean =>
  ACTIVATIONS_OF[layout].some((supported) => supported === activation_function);

/**
 * The fields that have to change after another layout was chosen, with their new values: the
 * activation function, and under GPT-2 the options that only Llama has.
 */
export function fieldsAfterLayout(model: ModelConfig): [FieldPath, FieldValue][] {
  const changes: [FieldPath, FieldValue][] = [];
  if (!isSupported(model))
    changes.push(['model.activation_function', ACTIVATIONS_OF[model.layout][0]]);
  if (model.layout === 'gpt2') {
    const { n_head, n_kv_head } = model;
    if (n_kv_head !== n_head) changes.push(['model.n_kv_head', LLAMA_ONLY['model.n_kv_head']]);
    for (const path of SWITCHED_OFF) changes.push([path, LLAMA_ONLY[path]]);
  }
  return changes;
}
