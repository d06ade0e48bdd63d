/** What frozen weights take in float16 on the device. */
import type { ResolvedModel } from '../config/index.ts';

/**
 * Values of the embeddings, matrices and head of a model whose rows are a multiple of four values:
 * those that can be kept in float16.
 */
export function float16Values(model: ResolvedModel): number {
  const { n_layer, n_embd: d, n_inner: f, n_head, n_kv_head, head_dim, vocab_size } = model;
  const isGpt2 = model.layout === 'gpt2';
  const q = n_head * head_dim;
  const matrices: readonly [rows: number, columns: number][] = [
    [vocab_size, d],
    [isGpt2 ? model.block_size : 0, d],
    [model.tie_word_embeddings ? 0 : vocab_size, d],
    [n_layer * d, q + 2 * n_kv_head * head_dim],
    [n_layer * q, d],
    [n_layer * d, isGpt2 ? f : 2 * f],
    [n_layer * f, d],
  ];
  return matrices
    .filter(([, columns]) => columns % 4 === 0)
    .reduce((sum, [rows, columns]) => sum + rows * columns, 0);
}
