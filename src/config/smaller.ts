/**
 * A smaller recipe for a device on which the chosen one would take too long: the sizes that nanoGPT's
 * README gives for a computer without a GPU ("I only have a macbook").
 */
import { type FieldPath, type FieldValue, getField } from './fields.ts';
import { withField } from './parse.ts';
import type { RunConfig } from './schema.ts';

/** Most of each field in the smaller recipe. */
const MOST: readonly (readonly [FieldPath, number])[] = [
  ['model.n_layer', 4],
  ['model.block_size', 64],
  ['training.batch_size', 12],
  ['training.gradient_accumulation_steps', 1],
  ['training.max_iters', 2000],
  ['training.lr_decay_iters', 2000],
  ['training.eval_iters', 20],
];
const WIDTH = 128;
const HEADS = 4;
/** The same for a model that is wider. A narrow one overfits less, and has no use for dropout. */
const MOST_OF_WIDE: typeof MOST = [
  ['model.n_embd', WIDTH],
  ['model.n_inner', 0],
  ['model.head_dim', 0],
  ['model.dropout', 0],
];

/** The fields that differ in the smaller recipe; empty if the recipe is as small already. */
export function smallerFields(config: RunConfig): [FieldPath, FieldValue][] {
  const { n_embd, n_head, n_kv_head } = config.model;
  const isWide = n_embd > WIDTH;
  const fields = [...MOST, ...(isWide ? MOST_OF_WIDE : [])].filter(([path, most]) => {
    const value = getField(config, path);
    return typeof value === 'number' && value > most;
  });
  const smaller = fields.map(([path, most]): [FieldPath, FieldValue] => [path, most]);
  const heads = isWide && (n_head > HEADS || WIDTH % n_head !== 0) ? HEADS : n_head;
  if (heads !== n_head) smaller.push(['model.n_head', heads]);
  if (n_kv_head > 0 && heads % n_kv_head !== 0) smaller.push(['model.n_kv_head', 0]);
  return smaller;
}

/** The smaller recipe; null if the recipe is as small already. */
export function smallerConfig(config: RunConfig): RunConfig | null {
  const fields = smallerFields(config);
  if (fields.length === 0) return null;
  return fields.reduce((next, [path, value]) => withField(next, path, value), config);
}
