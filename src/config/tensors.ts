/**
 * The large tensors of one training micro-step, by name: what may pass the device's binding limit.
 * Arithmetic only.
 */
import type { ResolvedModel, TrainingConfig } from './schema.ts';

/** `per_sequence` tensors grow with the batch. */
export interface LargeTensor {
  name: string;
  bytes: number;
  per_sequence: boolean;
}

type Batch = Pick<TrainingConfig, 'batch_size' | 'mixed_precision'>;

/**
 * Logits of more bytes, or of more than a binding holds, are made and used a chunk of the
 * vocabulary at a time (`head_cross_entropy` of ops/).
 */
export const MOST_LOGITS_BYTES = 2 ** 28;
/**
 * Chunks are whole multiples of so many tokens: their rows in a weight of any width then begin at
 * multiples of 256 bytes, as bindings must.
 */
const CHUNK_UNIT = 64;

/**
 * Bytes of a tensor of this width for each token of a micro-batch; halves are stored where the
 * width is a multiple of four.
 */
const bytesOf = (
  width: number,
  { block_size }: ResolvedModel,
  { batch_size, mixed_precision }: Batch,
): number =>
  (mixed_precision === 'fp16' && width % 4 === 0 ? 2 : 4) * batch_size * block_size * width;

/**
 * Tokens of the vocabulary whose logits exist at a time: all, or equal chunks (the last may be
 * smaller) within the limits, and of 64 at least.
 */
export function logitsChunk(
  model: ResolvedModel,
  training: Batch,
  max_binding_size = MOST_LOGITS_BYTES,
): number {
  const { vocab_size } = model;
  const most = Math.floor(
    (Math.min(MOST_LOGITS_BYTES, max_binding_size) * vocab_size) /
      bytesOf(vocab_size, model, training),
  );
  if (vocab_size <= most) return vocab_size;
  const chunks = Math.ceil(
    vocab_size / Math.max(CHUNK_UNIT, Math.floor(most / CHUNK_UNIT) * CHUNK_UNIT),
  );
  return Math.min(vocab_size, Math.ceil(vocab_size / chunks / CHUNK_UNIT) * CHUNK_UNIT);
}

/** Bytes of the logits that exist at a time. */
export const logitsBytes = (
  model: ResolvedModel,
  training: Batch,
  max_binding_size?: number,
): number =>
  (bytesOf(model.vocab_size, model, training) / model.vocab_size) *
  logitsChunk(model, training, max_binding_size);

/**
 * Candidates for the largest single binding, in bytes, the logits first. Parameters lie in flat
 * buffers that are cut into chunks between tensors, so the largest one counts by itself.
 */
export function largeTensors(
  model: ResolvedModel,
  training: Batch,
  max_binding_size?: number,
): LargeTensor[] {
  const of = (width: number): number => bytesOf(width, model, training);
  const gates = model.layout === 'llama' ? 2 : 1;
  const chunk = logitsChunk(model, training, max_binding_size);
  const logits =
    chunk < model.vocab_size
      ? `the logits of ${chunk} tokens of the vocabulary at a time (batch_size x block_size x ${chunk})`
      : 'the logits (batch_size x block_size x vocabulary)';
  return [
    { name: logits, bytes: logitsBytes(model, training, max_binding_size), per_sequence: true },
    {
      name: 'the feed-forward activations (batch_size x block_size x n_inner)',
      bytes: of(model.n_inner * gates),
      per_sequence: true,
    },
    {
      name: 'queries, keys and values (batch_size x block_size x their width)',
      bytes: of(model.head_dim * (model.n_head + 2 * model.n_kv_head)),
      per_sequence: true,
    },
    {
      name: 'the embedding (vocabulary x n_embd)',
      bytes: 4 * model.vocab_size * model.n_embd,
      per_sequence: false,
    },
    {
      name: 'a feed-forward matrix (n_embd x n_inner)',
      bytes: 4 * model.n_embd * model.n_inner * gates,
      per_sequence: false,
    },
  ];
}
