/**
 * Parameters by kind, counted from the shapes alone. A test compares them with the parameter list of
 * src/model.
 */
import type { ResolvedModel } from '../config/index.ts';

export interface ParameterCount {
  /** Token and position embeddings. */
  embedding: number;
  attention: number;
  feed_forward: number;
  norm: number;
  /** The output matrix; 0 if it is tied to the embedding. */
  head: number;
  total: number;
}

/** Parameters of GPT-2 small (Radford et al. 2019), which readers know as a yardstick. */
export const GPT2_SMALL_PARAMETERS = 124_439_808;

/** Number of parameters of a model. */
export function countParameters(model: ResolvedModel): ParameterCount {
  const { n_layer, n_embd: d, vocab_size } = model;
  const isGpt2 = model.layout === 'gpt2';
  const qkNorm = !isGpt2 && model.qk_norm ? n_layer * 2 * model.head_dim : 0;
  const biases = isGpt2 && model.bias ? 1 : 0;
  const embedding = vocab_size * d + (isGpt2 ? model.block_size * d : 0);
  const qkvBiases = !isGpt2 && model.qkv_bias ? qkvWidth(model) : 0;
  const attention = n_layer * (attentionParameters(model, biases) + qkvBiases);
  const feed_forward = n_layer * feedForwardParameters(model, biases);
  const norm = (2 * n_layer + 1) * d * (1 + biases) + qkNorm;
  const head = model.tie_word_embeddings ? 0 : vocab_size * d;
  const total = embedding + attention + feed_forward + norm + head;
  return { embedding, attention, feed_forward, norm, head, total };
}

/** Of one block. `biases` is 1 if linear layers have a bias, else 0. */
function attentionParameters(model: ResolvedModel, biases: number): number {
  const d = model.n_embd;
  const q = model.n_head * model.head_dim;
  const qkv = qkvWidth(model);
  return d * qkv + q * d + biases * (qkv + d);
}

const qkvWidth = ({ n_head, n_kv_head, head_dim }: ResolvedModel): number =>
  (n_head + 2 * n_kv_head) * head_dim;

function feedForwardParameters(model: ResolvedModel, biases: number): number {
  const { n_embd: d, n_inner: f } = model;
  return model.layout === 'gpt2' ? 2 * d * f + biases * (f + d) : 3 * d * f;
}

/** Values of the matrices inside blocks: Muon keeps one moment of each, AdamW two. */
export const blockMatrixParameters = (model: ResolvedModel): number =>
  model.n_layer * (attentionParameters(model, 0) + feedForwardParameters(model, 0));
