/**
 * The large tensors of one training micro-step, which the device's binding limit may not allow.
 * Arithmetic only.
 */
import type { ResolvedModel, TrainingConfig } from './schema.ts';

export interface LargeTensor {
  /** As part of a sentence. */
  name: string;
  bytes: number;
  /** Whether the size is proportional to the batch. */
  per_sequence: boolean;
}

type Batch = Pick<TrainingConfig, 'batch_size' | 'mixed_precision'>;

/**
 * Logits larger than this, or than a binding holds, are computed and used a chunk of the vocabulary
 * at a time (`head_cross_entropy` in `ops/`).
 */
export const MOST_LOGITS_BYTES = 2 ** 28;

/**
 * Chunks are multiples of this many tokens, so that the rows of each chunk start at a multiple of
 * 256 bytes in a weight of any width, as bindings require.
 */
const CHUNK_UNIT = 64;

/**
 * Bytes of an activation [batch_size, block_size, width]. Under fp16 it is stored as float16 if its
 * width is a multiple of four.
 */
function activationBytes(width: number, model: ResolvedModel, batch: Batch): number {
  const isFloat16 = batch.mixed_precision === 'fp16' && width % 4 === 0;
  return (isFloat16 ? 2 : 4) * batch.batch_size * model.block_size * width;
}

/**
 * Number of tokens of the vocabulary whose logits exist at a time: all of them, or equal chunks
 * within the limits (the last may be smaller) of at least 64 tokens.
 */
export function logitsChunk(
  model: ResolvedModel,
  training: Batch,
  max_binding_size = MOST_LOGITS_BYTES,
): number {
  const { vocab_size } = model;
  const limit = Math.min(MOST_LOGITS_BYTES, max_binding_size);
  const fitting = Math.floor((limit * vocab_size) / activationBytes(vocab_size, model, training));
  if (vocab_size <= fitting) return vocab_size;
  const largestChunk = Math.max(CHUNK_UNIT, Math.floor(fitting / CHUNK_UNIT) * CHUNK_UNIT);
  const chunks = Math.ceil(vocab_size / largestChunk);
  return Math.min(vocab_size, Math.ceil(vocab_size / chunks / CHUNK_UNIT) * CHUNK_UNIT);
}

/** Bytes of the logits that exist at a time. */
export function logitsBytes(
  model: ResolvedModel,
  training: Batch,
  max_binding_size?: number,
): number {
  const bytesPerToken = activationBytes(model.vocab_size, model, training) / model.vocab_size;
  return bytesPerToken * logitsChunk(model, training, max_binding_size);
}

/**
 * Candidates for the largest single binding, the logits first. Parameters share flat buffers that
 * are cut into chunks between tensors, so only the largest parameters matter.
 *
 * @param max_binding_size In bytes; decides how many logits exist at a time.
 */
export function largeTensors(
  model: ResolvedModel,
  training: Batch,
  max_binding_size?: number,
): LargeTensor[] {
  const gates = model.layout === 'llama' ? 2 : 1;
  const qkvWidth = model.head_dim * (model.n_head + 2 * model.n_kv_head);
  return [
    {
      name: logitsName(model, logitsChunk(model, training, max_binding_size)),
      bytes: logitsBytes(model, training, max_binding_size),
      per_sequence: true,
    },
    {
      name: 'the feed-forward activations (batch_size x block_size x n_inner)',
      bytes: activationBytes(model.n_inner * gates, model, training),
      per_sequence: true,
    },
    {
      name: 'queries, keys and values (batch_size x block_size x their width)',
      bytes: activationBytes(qkvWidth, model, training),
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

function logitsName(model: ResolvedModel, chunk: number): string {
  if (chunk === model.vocab_size) return 'the logits (batch_size x block_size x vocabulary)';
  return `the logits of ${chunk} tokens of the vocabulary at a time (batch_size x block_size x ${chunk})`;
}
