/**
 * A GPT in plain TensorFlow.js, as its documentation teaches to write one: its ops, and none of the
 * kernels and gradients of this page.
 * It reads from top to bottom, from token ids to the loss, in the layout of GPT-2 (Radford et al.
 * 2019) or of Llama (Touvron et al. 2023). TensorFlow.js derives the gradient by itself (train.ts).
 *
 * B is the number of sequences, T their length, C the width of the model, D that of a head.
 */
import * as tf from '@tensorflow/tfjs';
import type { ResolvedModel } from '../../config/index.ts';
import {
  type BlockNames,
  blockNames,
  embeddingName,
  finalNormName,
  hasBias,
  headName,
  isGpt2,
} from '../../model/layout.ts';
import { ropeFrequencies } from '../../model/rotary.ts';

export interface Gpt {
  model: ResolvedModel;
  /** The parameters by name, with the names and shapes of `listParameters`. */
  weights: ReadonlyMap<string, tf.Variable>;
  /** Added to the attention scores: 0 where a token may look, -1e4 elsewhere [T, T]. */
  mask: tf.Tensor;
  /** Cosines and sines of the rotary embedding [T, D / 2]; null in GPT-2. */
  rotary: { cos: tf.Tensor; sin: tf.Tensor } | null;
}

/** Sequences of `model.block_size` tokens, row by row; the weights of a whole step add up to 1. */
export interface GptBatch {
  ids: Int32Array;
  targets: Int32Array;
  weights: Float32Array;
}

/** A model with these parameters, and the constants that each of its steps needs. */
export function createGpt(model: ResolvedModel, weights: ReadonlyMap<string, tf.Variable>): Gpt {
  const mask = causalMask(model.block_size, model.sliding_window);
  return { model, weights, mask, rotary: isGpt2(model) ? null : rotaryTables(model) };
}

export function disposeGpt({ weights, mask, rotary }: Gpt): void {
  tf.dispose([...weights.values(), mask]);
  if (rotary) tf.dispose([rotary.cos, rotary.sin]);
}

/** The cross-entropy of the next token, a scalar: the weighted sum over all tokens. */
export function lossOf(gpt: Gpt, { ids, targets, weights }: GptBatch): tf.Scalar {
  const logits = logitsOf(gpt, tf.tensor1d(ids, 'int32'));
  const labels = tf.oneHot(tf.tensor1d(targets, 'int32'), gpt.model.vocab_size);
  const tokenWeights = tf.tensor1d(weights);
  const { SUM } = tf.Reduction;
  return tf.losses.softmaxCrossEntropy(labels, logits, tokenWeights, 0, SUM).asScalar();
}

/** From token ids [B T] to logits [B T, vocab_size]. */
function logitsOf(gpt: Gpt, ids: tf.Tensor1D): tf.Tensor {
  const { model } = gpt;
  let x = embed(gpt, ids);
  for (let layer = 0; layer < model.n_layer; layer++) {
    const names = blockNames(model, layer);
    x = tf.add(x, attention(gpt, names, norm(gpt, names.attentionNorm, x)));
    x = tf.add(x, feedForward(gpt, names, norm(gpt, names.mlpNorm, x)));
  }
  return tf.matMul(norm(gpt, finalNormName(model), x), weight(gpt, headName(model)), false, true);
}

function weight({ weights }: Gpt, name: string): tf.Variable {
  const found = weights.get(name);
  if (!found) throw new Error(`The model has no parameter ${name}.`);
  return found;
}

/** Token embedding, in GPT-2 plus position embedding: [B T, C]. */
function embed(gpt: Gpt, ids: tf.Tensor1D): tf.Tensor {
  const { block_size: T, n_embd: C } = gpt.model;
  const tokens = lookUp(weight(gpt, embeddingName(gpt.model)), ids);
  if (!isGpt2(gpt.model)) return drop(gpt, tokens);
  const positions = tf.slice(weight(gpt, 'transformer.wpe.weight'), [0, 0], [T, C]);
  const sum = tf.add(tf.reshape(tokens, [-1, T, C]), positions);
  return drop(gpt, tf.reshape(sum, [-1, C]));
}

/**
 * Rows of a table [vocab_size, C] by their ids. The wasm backend cannot derive `gather` (it lacks
 * the kernel UnsortedSegmentSum), so there it is a product with one-hot rows. Those are cast, because
 * that backend writes integers into one-hot rows of any type.
 */
function lookUp(table: tf.Tensor, ids: tf.Tensor1D): tf.Tensor {
  if (tf.getBackend() !== 'wasm') return tf.gather(table, ids);
  const [rows = 0] = table.shape;
  return tf.matMul(tf.cast(tf.oneHot(ids, rows), 'float32'), table);
}

/** LayerNorm in GPT-2 (Ba et al. 2016), RMSNorm in Llama (Zhang and Sennrich 2019). */
function norm(gpt: Gpt, name: string, x: tf.Tensor): tf.Tensor {
  if (!isGpt2(gpt.model)) return rmsNorm(gpt, name, x);
  const { mean, variance } = tf.moments(x, -1, true);
  const normed = tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, gpt.model.norm_eps)));
  const scaled = tf.mul(normed, weight(gpt, `${name}.weight`));
  return gpt.model.bias ? tf.add(scaled, weight(gpt, `${name}.bias`)) : scaled;
}

function rmsNorm(gpt: Gpt, name: string, x: tf.Tensor): tf.Tensor {
  const meanSquare = tf.mean(tf.square(x), -1, true);
  const normed = tf.mul(x, tf.rsqrt(tf.add(meanSquare, gpt.model.norm_eps)));
  return tf.mul(normed, weight(gpt, `${name}.weight`));
}

/** x W + b; Llama has no biases. */
function linear(gpt: Gpt, name: string, x: tf.Tensor): tf.Tensor {
  const product = tf.matMul(x, weight(gpt, `${name}.weight`));
  return hasBias(gpt.model, name) ? tf.add(product, weight(gpt, `${name}.bias`)) : product;
}

/**
 * Causal self-attention [B T, C] -> [B T, C]. Several query heads may share one key and value head
 * (grouped-query attention, Ainslie et al. 2023): their queries are stacked, so that one product
 * serves the whole group.
 */
function attention(gpt: Gpt, names: BlockNames, x: tf.Tensor): tf.Tensor {
  const { n_head, n_kv_head, head_dim: D, block_size: T } = gpt.model;
  const sizes = [n_head * D, n_kv_head * D, n_kv_head * D];
  const [q, k, v] = tf.split(linear(gpt, names.qkv, x), sizes, 1);
  if (!q || !k || !v) throw new Error('A split into three has three parts.');
  const queries = rotate(gpt, queryKeyNorm(gpt, names.qNorm, toHeads(gpt, q, n_head)));
  const keys = rotate(gpt, queryKeyNorm(gpt, names.kNorm, toHeads(gpt, k, n_kv_head)));
  const values = tf.reshape(toHeads(gpt, v, n_kv_head), [-1, T, D]);

  const rows = (n_head / n_kv_head) * T;
  const stacked = tf.reshape(queries, [-1, rows, D]);
  const products = tf.matMul(stacked, tf.reshape(keys, [-1, T, D]), false, true);
  const scores = tf.reshape(tf.mul(products, 1 / Math.sqrt(D)), [-1, n_head, T, T]);
  const shares = drop(gpt, tf.softmax(tf.add(scores, gpt.mask)));
  const mixed = tf.matMul(tf.reshape(shares, [-1, rows, T]), values);

  const heads = tf.transpose(tf.reshape(mixed, [-1, n_head, T, D]), [0, 2, 1, 3]);
  return drop(gpt, linear(gpt, names.attentionOutput, tf.reshape(heads, [-1, n_head * D])));
}

/** [B T, heads D] -> [B, heads, T, D]. */
function toHeads({ model }: Gpt, x: tf.Tensor, heads: number): tf.Tensor {
  const { block_size: T, head_dim: D } = model;
  return tf.transpose(tf.reshape(x, [-1, T, heads, D]), [0, 2, 1, 3]);
}

function queryKeyNorm(gpt: Gpt, name: string, x: tf.Tensor): tf.Tensor {
  return !isGpt2(gpt.model) && gpt.model.qk_norm ? rmsNorm(gpt, name, x) : x;
}

/** Rotary position embedding (Su et al. 2021) of [B, heads, T, D], in the order of transformers. */
function rotate({ rotary }: Gpt, x: tf.Tensor): tf.Tensor {
  if (!rotary) return x;
  const { cos, sin } = rotary;
  const [first, second] = tf.split(x, 2, 3);
  if (!first || !second) throw new Error('A split into two has two parts.');
  return tf.concat(
    [
      tf.sub(tf.mul(first, cos), tf.mul(second, sin)),
      tf.add(tf.mul(second, cos), tf.mul(first, sin)),
    ],
    3,
  );
}

/** GPT-2: two projections with an activation. Llama: the gate's activation times a projection. */
function feedForward(gpt: Gpt, { mlp }: BlockNames, x: tf.Tensor): tf.Tensor {
  if (isGpt2(gpt.model)) {
    return drop(gpt, linear(gpt, `${mlp}.c_proj`, activate(gpt, linear(gpt, `${mlp}.c_fc`, x))));
  }
  const [gate, up] = tf.split(linear(gpt, `${mlp}.gate_up_proj`, x), 2, 1);
  if (!gate || !up) throw new Error('A split into two has two parts.');
  return drop(gpt, linear(gpt, `${mlp}.down_proj`, tf.mul(activate(gpt, gate), up)));
}

/** ReLU squared (So et al. 2021), SiLU in Llama, or GPT-2's GELU (Hendrycks and Gimpel 2016). */
function activate({ model }: Gpt, x: tf.Tensor): tf.Tensor {
  if (model.activation_function === 'relu2') return tf.square(tf.relu(x));
  if (!isGpt2(model)) return tf.mul(x, tf.sigmoid(x));
  if (model.activation_function === 'gelu') {
    return tf.mul(tf.mul(x, 0.5), tf.add(tf.erf(tf.mul(x, Math.SQRT1_2)), 1));
  }
  const inner = tf.add(x, tf.mul(tf.mul(x, tf.square(x)), 0.044715));
  return tf.mul(tf.mul(x, 0.5), tf.add(tf.tanh(tf.mul(inner, Math.sqrt(2 / Math.PI))), 1));
}

/** Dropout with masks that TensorFlow.js draws. */
function drop({ model }: Gpt, x: tf.Tensor): tf.Tensor {
  return model.dropout > 0 ? tf.dropout(x, model.dropout) : x;
}

/** A token sees itself and those before it, of which a sliding window leaves the most recent. */
function causalMask(T: number, window: number): tf.Tensor {
  const reach = window > 0 ? window : T;
  const values = new Float32Array(T * T).fill(-1e4);
  for (let row = 0; row < T; row++) {
    values.fill(0, row * T + Math.max(0, row + 1 - reach), row * T + row + 1);
  }
  return tf.tensor2d(values, [T, T]);
}

/** Cosines and sines of position x theta^(-2 i / D), in float64 until they are stored. */
function rotaryTables(model: ResolvedModel) {
  const { block_size: T } = model;
  const frequencies = ropeFrequencies(model);
  const half = frequencies.length;
  const angles = Array.from({ length: T * half }, (_, index) => {
    const position = Math.floor(index / half);
    return position * (frequencies[index % half] ?? NaN);
  });
  return {
    cos: tf.tensor2d(angles.map(Math.cos), [T, half]),
    sin: tf.tensor2d(angles.map(Math.sin), [T, half]),
  };
}
