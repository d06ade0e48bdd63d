/** The large tensors of one training micro-step, by name: what may pass the device's binding limit. Arithmetic only. */
import type { ResolvedModel, TrainingConfig } from './schema.ts';

/** `per_sequence` tensors grow with the batch. */
export interface LargeTensor { name: string; bytes: number; per_sequence: boolean }

/**
 * Candidates for the largest single binding, in bytes, the logits first. Parameters lie in flat buffers that are
 * cut into chunks between tensors, so the largest one counts by itself.
 */
export function largeTensors(model: ResolvedModel, { batch_size, mixed_precision }: Pick<TrainingConfig, 'batch_size' | 'mixed_precision'>): LargeTensor[] {
  const of = (width: number): number => (mixed_precision === 'fp16' && width % 4 === 0 ? 2 : 4) * rows * width;
  const rows = batch_size * model.block_size, gates = model.layout === 'llama' ? 2 : 1;
  return [
    { name: 'the logits (batch_size x block_size x vocabulary)', bytes: of(model.vocab_size), per_sequence: true },
    { name: 'the feed-forward activations (batch_size x block_size x n_inner)', bytes: of(model.n_inner * gates), per_sequence: true },
    { name: 'queries, keys and values (batch_size x block_size x their width)', bytes: of(model.head_dim * (model.n_head + 2 * model.n_kv_head)), per_sequence: true },
    { name: 'the embedding (vocabulary x n_embd)', bytes: 4 * model.vocab_size * model.n_embd, per_sequence: false },
    { name: 'a feed-forward matrix (n_embd x n_inner)', bytes: 4 * model.n_embd * model.n_inner * gates, per_sequence: false },
  ];
}
