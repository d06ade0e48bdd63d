/**
 * A forward pass in plain float64 loops, the reference of this room's tests. It is written from the
 * papers (GPT-2: Radford et al. 2019; Llama: Touvron et al. 2023; RoPE: Su et al. 2021, with the
 * rotation of halves that transformers uses) and shares nothing with src/model, so that an error in
 * the mapping of weights is not made twice. Imported only by tests.
 */
import type { ResolvedModel } from '../config/index.ts';

/** Rows of float64 values. */
type Matrix = Float64Array[];
type Weights = ReadonlyMap<string, Float32Array>;
/** Weights of QK-norm. */
type HeadScales = { q: Float32Array; k: Float32Array } | null;

const GPT2_NAMES = {
  embedding: 'transformer.wte',
  block: 'transformer.h',
  attentionNorm: 'ln_1',
  qkv: 'attn.c_attn',
  attentionOut: 'attn.c_proj',
  mlpNorm: 'ln_2',
  mlpIn: 'mlp.c_fc',
  mlpOut: 'mlp.c_proj',
  lastNorm: 'transformer.ln_f',
};

const LLAMA_NAMES: typeof GPT2_NAMES = {
  embedding: 'model.embed_tokens',
  block: 'model.layers',
  attentionNorm: 'input_layernorm',
  qkv: 'self_attn.qkv_proj',
  attentionOut: 'self_attn.o_proj',
  mlpNorm: 'post_attention_layernorm',
  mlpIn: 'mlp.gate_up_proj',
  mlpOut: 'mlp.down_proj',
  lastNorm: 'model.norm',
};

/** Logits [time][vocab_size] of one sequence of token ids. */
export function forward(model: ResolvedModel, weights: Weights, ids: readonly number[]): Matrix {
  const names = model.layout === 'gpt2' ? GPT2_NAMES : LLAMA_NAMES;
  const { linear, norm } = layers(model, weights);
  let x = embed(model, weights, ids);
  for (let i = 0; i < model.n_layer; i++) {
    const block = `${names.block}.${i}`;
    const qkv = linear(`${block}.${names.qkv}`, norm(`${block}.${names.attentionNorm}`, x));
    const attended = attention(model, qkv, headScales(model, weights, block));
    x = add(x, linear(`${block}.${names.attentionOut}`, attended));
    const inner = linear(`${block}.${names.mlpIn}`, norm(`${block}.${names.mlpNorm}`, x));
    x = add(x, linear(`${block}.${names.mlpOut}`, activate(model, inner)));
  }
  const headName = model.tie_word_embeddings ? names.embedding : 'lm_head';
  const head = requireWeight(weights, `${headName}.weight`);
  return norm(names.lastNorm, x).map((row) =>
    Float64Array.from({ length: model.vocab_size }, (_, id) =>
      dot(row, rowOf(head, id, model.n_embd)),
    ),
  );
}

function requireWeight(weights: Weights, name: string): Float32Array {
  const values = weights.get(name);
  if (!values) throw new Error(`no ${name}`);
  return values;
}

/** Linear layers and norms by name; the layout decides about biases and the kind of norm. */
function layers(model: ResolvedModel, weights: Weights) {
  const gpt2 = model.layout === 'gpt2';
  const weight = (name: string) => requireWeight(weights, `${name}.weight`);
  const bias = (name: string) =>
    (gpt2 && model.bias) || (model.qkv_bias && name.endsWith('.qkv_proj'))
      ? requireWeight(weights, `${name}.bias`)
      : null;
  return {
    linear: (name: string, rows: Matrix): Matrix =>
      rows.map((row) => product(row, weight(name), bias(name))),
    norm: (name: string, rows: Matrix): Matrix =>
      rows.map((row) =>
        gpt2
          ? layerNorm(row, weight(name), bias(name), model.norm_eps)
          : rmsNorm(row, weight(name), model.norm_eps),
      ),
  };
}

function embed(model: ResolvedModel, weights: Weights, ids: readonly number[]): Matrix {
  const width = model.n_embd;
  if (model.layout === 'llama') {
    const table = requireWeight(weights, 'model.embed_tokens.weight');
    return ids.map((id) => rowOf(table, id, width));
  }
  const table = requireWeight(weights, 'transformer.wte.weight');
  const positions = requireWeight(weights, 'transformer.wpe.weight');
  return ids.map((id, t) => plus(rowOf(table, id, width), rowOf(positions, t, width)));
}

function headScales(model: ResolvedModel, weights: Weights, block: string): HeadScales {
  if (!model.qk_norm) return null;
  const name = `${block}.${model.layout === 'gpt2' ? 'attn' : 'self_attn'}`;
  return {
    q: requireWeight(weights, `${name}.q_norm.weight`),
    k: requireWeight(weights, `${name}.k_norm.weight`),
  };
}

/** The activation of GPT-2, or the gate of Llama, whose rows are [gate | up]. */
function activate(model: ResolvedModel, rows: Matrix): Matrix {
  if (model.layout === 'gpt2') return rows.map((row) => row.map((x) => activation(model, x)));
  const width = model.n_inner;
  return rows.map((row) =>
    row.slice(0, width).map((gate, i) => activation(model, gate) * (row[width + i] ?? NaN)),
  );
}

const rowOf = (table: Float32Array, index: number, width: number) =>
  Float64Array.from(table.subarray(index * width, (index + 1) * width));
const plus = (a: Float64Array, b: Float64Array) => a.map((x, i) => x + (b[i] ?? NaN));
const add = (a: Matrix, b: Matrix) => a.map((row, i) => plus(row, b[i] ?? new Float64Array()));
const dot = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, x, i) => sum + x * (b[i] ?? NaN), 0);

/** x [in] times a weight [in, out], plus a bias. */
function product(x: Float64Array, weight: Float32Array, bias: Float32Array | null): Float64Array {
  const width = weight.length / x.length;
  return Float64Array.from({ length: width }, (_, column) =>
    x.reduce(
      (sum, value, row) => sum + value * (weight[row * width + column] ?? NaN),
      bias ? (bias[column] ?? NaN) : 0,
    ),
  );
}

function layerNorm(
  x: Float64Array,
  weight: Float32Array,
  bias: Float32Array | null,
  eps: number,
): Float64Array {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const centred = x.map((value) => value - mean);
  return rmsNorm(centred, weight, eps).map((value, i) => value + (bias?.[i] ?? 0));
}

function rmsNorm(x: Float64Array, weight: Float32Array, eps: number): Float64Array {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((value, i) => value * scale * (weight[i] ?? NaN));
}

function activation(model: ResolvedModel, x: number): number {
  switch (model.activation_function) {
    case 'gelu_new':
      return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    case 'gelu':
      return x * normalDistribution(x);
    case 'relu2':
      return Math.max(0, x) ** 2;
    case 'silu':
      return x / (1 + Math.exp(-x));
    default:
      return model.activation_function satisfies never;
  }
}

/** Causal attention over rows of [q | k | v], with grouped key/value heads and a sliding window. */
function attention(model: ResolvedModel, qkv: Matrix, scales: HeadScales): Matrix {
  const width = model.head_dim;
  const keys = model.n_head * width;
  const values = keys + model.n_kv_head * width;
  const head = (t: number, start: number, scale?: Float32Array) => {
    const raw: Float64Array = (qkv[t] ?? new Float64Array()).slice(start, start + width);
    const x = scale ? rmsNorm(raw, scale, model.norm_eps) : raw;
    return model.layout === 'llama' ? rotate(model, x, t) : x;
  };
  return qkv.map((_, t) => {
    const out = new Float64Array(model.n_head * width);
    const first = model.sliding_window > 0 ? Math.max(0, t - model.sliding_window + 1) : 0;
    for (let h = 0; h < model.n_head; h++) {
      const group = Math.floor(h / (model.n_head / model.n_kv_head));
      const q = head(t, h * width, scales?.q);
      const scores: number[] = [];
      for (let s = first; s <= t; s++) {
        scores.push(dot(q, head(s, keys + group * width, scales?.k)) / Math.sqrt(width));
      }
      softmax(scores).forEach((p, i) => {
        const row = qkv[first + i] ?? new Float64Array();
        for (let j = 0; j < width; j++) {
          const value = row[values + group * width + j] ?? NaN;
          out[h * width + j] = (out[h * width + j] ?? 0) + p * value;
        }
      });
    }
    return out;
  });
}

function softmax(scores: readonly number[]): number[] {
  const largest = Math.max(...scores);
  const exponentials = scores.map((score) => Math.exp(score - largest));
  const total = exponentials.reduce((a, b) => a + b, 0);
  return exponentials.map((x) => x / total);
}

/** Rotary positions: dimension i of the first half is paired with dimension i of the second. */
function rotate(model: ResolvedModel, x: Float64Array, position: number): Float64Array {
  const half = x.length / 2;
  return x.map((value, i) => {
    const angle = position * llama3(model, model.rope_theta ** (-(i % half) / half));
    const other = x[(i + half) % x.length] ?? NaN;
    return value * Math.cos(angle) + (i < half ? -other : other) * Math.sin(angle);
  });
}

/** Frequencies of Llama 3.1 (`apply_scaling` in its reference code) for a context of 8192 tokens. */
function llama3({ rope_factor }: ResolvedModel, frequency: number): number {
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < 8192 / 4) return frequency;
  if (wavelength > 8192) return frequency / rope_factor;
  const smooth = (8192 / wavelength - 1) / 3;
  return (1 - smooth) * (frequency / rope_factor) + smooth * frequency;
}

/** Of the standard normal distribution, by its Taylor series: for |x| below 5. */
function normalDistribution(x: number): number {
  let term = x / Math.sqrt(2 * Math.PI);
  let sum = 0.5;
  for (let n = 0; n < 100; n++) {
    sum += term / (2 * n + 1);
    term *= (-x * x) / (2 * (n + 1));
  }
  return sum;
}
