/**
 * The model as segments: embedding, (attention, feed-forward) x n_layer, norm and head. A segment
 * is a function of parameters and activations, so that a pipeline has a place to cut and
 * recomputation a unit. Attention and feed-forward add the residual that they are given where their
 * last product is stored; given none they return their branch, for a caller that reduces it first
 * (tensor parallelism).
 *
 * Activations are [tokens, features], tokens = batch_size x block_size, row-major by sequence.
 * GPT-2: Radford et al. 2019; Llama: Touvron et al. 2023; QK-norm as in Qwen3.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Store } from '../backend/index.ts';
import type { ResolvedModel } from '../config/index.ts';
import {
  attention,
  attentionDropout,
  crossEntropy,
  dropout,
  dropoutAdd,
  embedding,
  headCrossEntropy,
  layerNorm,
  layerNormNoBias,
  linear,
  linearAdd,
  linearBias,
  linearBiasAdd,
  matmul,
  mlp,
  mlpAdd,
  type MlpAttrs,
  mlpBias,
  mlpBiasAdd,
  positionEmbedding,
  qkNorm,
  relu2Glu,
  rmsNorm,
  rope,
  swiglu,
  type Tensors,
} from '../ops/index.ts';
import type { Tape } from './tape.ts';
import type { ParameterSource } from './weights.ts';

/** What a forward reads beside its activations. */
export interface Forward {
  tape: Tape;
  model: ResolvedModel;
  weights: ParameterSource;
  /** ids, positions, their orders, rng: as `trainingInputs` or `decodeInputs` make them. */
  inputs: Store;
  rotary: Store | null;
  batch_size: number;
  block_size: number;
  /** Dropout is on. */
  training: boolean;
  /** How tokens attend, where it is not the plain causal attention of training (KV cache). */
  attend?: (f: Forward, layer: number, qkv: Tensor) => Tensor;
}

const heads = (m: ResolvedModel) => ({
  n_head: m.n_head,
  n_kv_head: m.n_kv_head,
  head_dim: m.head_dim,
});
const isGpt2 = (m: ResolvedModel): boolean => m.layout === 'gpt2';
/** Llama's projections have no biases. */
const hasBias = (m: ResolvedModel): boolean => isGpt2(m) && m.bias;
const layerName = (m: ResolvedModel, layer: number): string =>
  isGpt2(m) ? `transformer.h.${layer}` : `model.layers.${layer}`;
export const embeddingName = (m: ResolvedModel): string =>
  isGpt2(m) ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
const finalNormName = (m: ResolvedModel): string => (isGpt2(m) ? 'transformer.ln_f' : 'model.norm');

/** Places where dropout draws, numbered: embedding 0, then three a layer. */
const SITE = { embedding: 0, attention: 1, attentionBranch: 2, mlpBranch: 3 } as const;
const siteOf = (layer: number, place: 1 | 2 | 3): number => 3 * layer + place;

/** Token (and, in GPT-2, position) embedding: [tokens, n_embd]. */
export function embedTokens(f: Forward): Tensor {
  const { tape, inputs, weights } = f;
  const weight = weights.get(embeddingName(f.model));
  const ids = {
    ids: inputs.get('ids'),
    sorted: inputs.get('ids_sorted'),
    starts: inputs.get('ids_starts'),
  };
  if (!isGpt2(f.model))
    return drop(f, tape.apply(embedding, { weight, ...ids }, {}).y, SITE.embedding);
  const places = {
    position_weight: weights.get('transformer.wpe.weight'),
    positions: inputs.get('positions'),
    positions_sorted: inputs.get('positions_sorted'),
    positions_starts: inputs.get('positions_starts'),
  };
  return drop(
    f,
    tape.apply(positionEmbedding, { weight, ...ids, ...places }, {}).y,
    SITE.embedding,
  );
}

/** One transformer block: x + attention(norm(x)), then x + mlp(norm(x)). */
export function block(f: Forward, layer: number, x: Tensor): Tensor {
  const middle = f.tape.segment(() => attentionBranch(f, layer, x, x));
  const out = f.tape.segment(() => mlpBranch(f, layer, middle, middle));
  f.tape.release(middle);
  return out;
}

/** The attention branch of a block, plus the residual if there is one: [tokens, n_embd]. */
export function attentionBranch(f: Forward, layer: number, x: Tensor, residual?: Tensor): Tensor {
  const { tape, model: m } = f;
  const gpt2 = isGpt2(m);
  const at = layerName(m, layer);
  const a = gpt2 ? `${at}.attn` : `${at}.self_attn`;
  const h = norm(f, gpt2 ? `${at}.ln_1` : `${at}.input_layernorm`, x);
  let qkv = project(f, gpt2 ? `${a}.c_attn` : `${a}.qkv_proj`, h);
  if (m.qk_norm)
    qkv = tape.apply(
      qkNorm,
      {
        qkv,
        q_weight: f.weights.get(`${a}.q_norm.weight`),
        k_weight: f.weights.get(`${a}.k_norm.weight`),
      },
      { ...heads(m), eps: m.norm_eps },
    ).y;
  if (f.rotary)
    qkv = tape.apply(
      rope,
      { qkv, positions: f.inputs.get('positions'), table: f.rotary.get('table') },
      { ...heads(m), inverse: false },
    ).y;
  const y = (f.attend ?? attend)(f, layer, qkv);
  return projectBranch(
    f,
    gpt2 ? `${a}.c_proj` : `${a}.o_proj`,
    y,
    siteOf(layer, SITE.attentionBranch),
    residual,
  );
}

function attend(f: Forward, layer: number, qkv: Tensor): Tensor {
  const m = f.model;
  const attrs = { B: f.batch_size, T: f.block_size, ...heads(m), window: m.sliding_window };
  if (!dropping(f)) return f.tape.apply(attention, { qkv }, attrs).y;
  return f.tape.apply(
    attentionDropout,
    { qkv, rng: f.inputs.get('rng') },
    { ...attrs, site: siteOf(layer, SITE.attention), rate: m.dropout },
  ).y;
}

/** The feed-forward branch of a block, plus the residual if there is one: [tokens, n_embd]. */
export function mlpBranch(f: Forward, layer: number, x: Tensor, residual?: Tensor): Tensor {
  const { tape, model: m } = f;
  const at = layerName(m, layer);
  if (!isGpt2(m)) {
    const gate_up = project(
      f,
      `${at}.mlp.gate_up_proj`,
      norm(f, `${at}.post_attention_layernorm`, x),
    );
    const y = tape.apply(m.activation_function === 'relu2' ? relu2Glu : swiglu, { gate_up }, {}).y;
    return projectBranch(f, `${at}.mlp.down_proj`, y, siteOf(layer, SITE.mlpBranch), residual);
  }
  const site = siteOf(layer, SITE.mlpBranch);
  const h = norm(f, `${at}.ln_2`, x);
  const attrs = { activation: m.activation_function === 'relu2' ? 'relu2' : 'gelu' } as const;
  if (!residual || dropping(f))
    return dropBranch(f, feedForward(f, `${at}.mlp`, h, attrs), site, residual);
  return feedForward(f, `${at}.mlp`, h, attrs, residual);
}

/** GPT-2's two projections with the activation between them. */
function feedForward(
  { tape, weights, model }: Forward,
  name: string,
  x: Tensor,
  attrs: MlpAttrs,
  residual?: Tensor,
): Tensor {
  const of = (which: string) => weights.get(`${name}.${which}`);
  const matrices = { x, fc_weight: of('c_fc.weight'), proj_weight: of('c_proj.weight') };
  if (!model.bias)
    return residual
      ? tape.apply(mlpAdd, { ...matrices, residual }, attrs).y
      : tape.apply(mlp, matrices, attrs).y;
  const all = { ...matrices, fc_bias: of('c_fc.bias'), proj_bias: of('c_proj.bias') };
  return residual
    ? tape.apply(mlpBiasAdd, { ...all, residual }, attrs).y
    : tape.apply(mlpBias, all, attrs).y;
}

/** The norm before any head [tokens, n_embd]. */
export const finalNorm = (f: Forward, x: Tensor): Tensor => norm(f, finalNormName(f.model), x);

/** Final norm and head: logits [tokens, vocab_size]. */
export function head(f: Forward, x: Tensor): Tensor {
  return f.tape.apply(
    matmul,
    { a: finalNorm(f, x), b: headWeight(f) },
    { transpose_a: false, transpose_b: true },
  ).c;
}

/** The head's matrix [vocab_size, n_embd]: the token embedding, where they are tied. */
const headWeight = ({ model, weights }: Forward): Tensor =>
  weights.get(model.tie_word_embeddings ? embeddingName(model) : 'lm_head.weight');

/**
 * Final norm, head and cross-entropy with the targets: `loss`, `lse`, `probability` and `correct`,
 * [tokens] each. Logits exist for `chunk` tokens of the vocabulary at a time. x is read no more
 * afterwards, and released.
 */
export function tokenLosses(
  f: Forward,
  x: Tensor,
  chunk: number,
): Tensors<'loss' | 'lse' | 'probability' | 'correct'> {
  const { tape } = f;
  const targets = f.inputs.get('targets');
  const whole = chunk >= f.model.vocab_size;
  const y = tape.segment(() => (whole ? head(f, x) : finalNorm(f, x)));
  tape.release(x);
  const losses = whole
    ? tape.apply(crossEntropy, { logits: y, targets }, {})
    : tape.apply(headCrossEntropy, { x: y, weight: headWeight(f), targets }, { chunk });
  tape.release(y);
  return losses;
}

/** All segments up to the head's input: the last hidden states [tokens, n_embd]. */
export function hiddenStates(f: Forward, checkpointing = false): Tensor {
  let x = f.tape.segment(() => embedTokens(f));
  for (let layer = 0; layer < f.model.n_layer; layer++) {
    const y = checkpointing
      ? f.tape.checkpoint(x, (tape, input) => block({ ...f, tape }, layer, input))
      : block(f, layer, x);
    f.tape.release(x);
    x = y;
  }
  return x;
}

function norm(f: Forward, name: string, x: Tensor): Tensor {
  const weight = f.weights.get(`${name}.weight`);
  const eps = f.model.norm_eps;
  if (!isGpt2(f.model)) return f.tape.apply(rmsNorm, { x, weight }, { eps }).y;
  return f.model.bias
    ? f.tape.apply(layerNorm, { x, weight, bias: f.weights.get(`${name}.bias`) }, { eps }).y
    : f.tape.apply(layerNormNoBias, { x, weight }, { eps }).y;
}

function project(f: Forward, name: string, x: Tensor): Tensor {
  const weight = f.weights.get(`${name}.weight`);
  return hasBias(f.model)
    ? f.tape.apply(linearBias, { x, weight, bias: f.weights.get(`${name}.bias`) }, {}).y
    : f.tape.apply(linear, { x, weight }, {}).y;
}

/** The last projection of a branch, its dropout, and the residual. */
function projectBranch(
  f: Forward,
  name: string,
  x: Tensor,
  site: number,
  residual?: Tensor,
): Tensor {
  if (!residual || dropping(f)) return dropBranch(f, project(f, name, x), site, residual);
  const weight = f.weights.get(`${name}.weight`);
  return hasBias(f.model)
    ? f.tape.apply(linearBiasAdd, { x, weight, bias: f.weights.get(`${name}.bias`), residual }, {})
        .y
    : f.tape.apply(linearAdd, { x, weight, residual }, {}).y;
}

/** A branch with its dropout, and the residual if there is one. */
function dropBranch(f: Forward, x: Tensor, site: number, residual?: Tensor): Tensor {
  if (!residual || !dropping(f)) return drop(f, x, site);
  return f.tape.apply(dropoutAdd, { x, rng: f.inputs.get('rng'), residual }, dropoutAttrs(f, site))
    .y;
}

const dropping = (f: Forward): boolean => f.training && f.model.dropout > 0;
const dropoutAttrs = (f: Forward, site: number) => ({
  site,
  rate: f.model.dropout,
  rows_per_sequence: f.block_size,
});
function drop(f: Forward, x: Tensor, site: number): Tensor {
  return dropping(f)
    ? f.tape.apply(dropout, { x, rng: f.inputs.get('rng') }, dropoutAttrs(f, site)).y
    : x;
}
