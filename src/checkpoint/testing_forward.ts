/**
 * Logits in plain float64 loops, for the tests of this room: written from the papers (GPT-2:
 * Radford et al. 2019; Llama: Touvron et al. 2023; RoPE: Su et al. 2021, halves rotated as
 * transformers does it), not from src/model, so that a mistake in the mapping of weights is not
 * made twice. Imported by *.test.ts alone.
 */
import type { ResolvedModel } from '../config/index.ts';

type Matrix = Float64Array[];
type Weights = ReadonlyMap<string, Float32Array>;

/** Logits [time][vocab_size] of one sequence. */
export function forward(m: ResolvedModel, weights: Weights, ids: readonly number[]): Matrix {
  const w = (name: string) => {
    const x = weights.get(name);
    if (!x) throw new Error(`no ${name}`);
    return x;
  };
  const gpt2 = m.layout === 'gpt2';
  const table = w(gpt2 ? 'transformer.wte.weight' : 'model.embed_tokens.weight');
  const d = m.n_embd;
  const row = (x: Float32Array, i: number) => Float64Array.from(x.subarray(i * d, (i + 1) * d));
  let x: Matrix = ids.map((id, t) =>
    gpt2 ? plus(row(table, id), row(w('transformer.wpe.weight'), t)) : row(table, id),
  );
  for (let i = 0; i < m.n_layer; i++) {
    const h = gpt2 ? `transformer.h.${i}` : `model.layers.${i}`;
    const a = gpt2 ? `${h}.attn` : `${h}.self_attn`;
    const bias = (name: string) => (gpt2 && m.bias ? w(`${name}.bias`) : null);
    const linear = (name: string, rows: Matrix) =>
      rows.map((r) => product(r, w(`${name}.weight`), bias(name)));
    const norm = (name: string, rows: Matrix) =>
      rows.map((r) =>
        gpt2
          ? layerNorm(r, w(`${name}.weight`), bias(name), m.norm_eps)
          : rmsNorm(r, w(`${name}.weight`), m.norm_eps),
      );
    const qkv = linear(
      gpt2 ? `${a}.c_attn` : `${a}.qkv_proj`,
      norm(gpt2 ? `${h}.ln_1` : `${h}.input_layernorm`, x),
    );
    const scales = m.qk_norm ? { q: w(`${a}.q_norm.weight`), k: w(`${a}.k_norm.weight`) } : null;
    x = add(x, linear(gpt2 ? `${a}.c_proj` : `${a}.o_proj`, attention(m, qkv, scales)));
    const z = norm(gpt2 ? `${h}.ln_2` : `${h}.post_attention_layernorm`, x);
    const inner = gpt2
      ? linear(`${h}.mlp.c_fc`, z).map((r) => r.map((v) => act(m, v)))
      : linear(`${h}.mlp.gate_up_proj`, z).map((r) =>
          r.slice(0, m.n_inner).map((g, j) => act(m, g) * (r[m.n_inner + j] ?? NaN)),
        );
    x = add(x, linear(gpt2 ? `${h}.mlp.c_proj` : `${h}.mlp.down_proj`, inner));
  }
  const head = m.tie_word_embeddings ? table : w('lm_head.weight');
  return x.map((r) => {
    const y = gpt2
      ? layerNorm(
          r,
          w('transformer.ln_f.weight'),
          m.bias ? w('transformer.ln_f.bias') : null,
          m.norm_eps,
        )
      : rmsNorm(r, w('model.norm.weight'), m.norm_eps);
    return Float64Array.from({ length: m.vocab_size }, (_, v) => dot(y, row(head, v)));
  });
}

const plus = (a: Float64Array, b: Float64Array) => a.map((v, i) => v + (b[i] ?? NaN));
const add = (a: Matrix, b: Matrix) => a.map((r, i) => plus(r, b[i] ?? new Float64Array()));
const dot = (a: Float64Array, b: Float64Array) =>
  a.reduce((sum, v, i) => sum + v * (b[i] ?? NaN), 0);

/** x [in] times a weight stored [in, out]. */
function product(x: Float64Array, weight: Float32Array, bias: Float32Array | null): Float64Array {
  const out = weight.length / x.length;
  return Float64Array.from({ length: out }, (_, j) =>
    x.reduce((sum, v, i) => sum + v * (weight[i * out + j] ?? NaN), bias ? (bias[j] ?? NaN) : 0),
  );
}

function layerNorm(
  x: Float64Array,
  weight: Float32Array,
  bias: Float32Array | null,
  eps: number,
): Float64Array {
  const mean = x.reduce((a, b) => a + b, 0) / x.length;
  const centred = x.map((v) => v - mean);
  return rmsNorm(centred, weight, eps).map((v, i) => v + (bias?.[i] ?? 0));
}

function rmsNorm(x: Float64Array, weight: Float32Array, eps: number): Float64Array {
  const scale = 1 / Math.sqrt(dot(x, x) / x.length + eps);
  return x.map((v, i) => v * scale * (weight[i] ?? NaN));
}

function act(m: ResolvedModel, v: number): number {
  switch (m.activation_function) {
    case 'gelu_new':
      return 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3)));
    case 'relu2':
      return Math.max(0, v) ** 2;
    case 'silu':
      return v / (1 + Math.exp(-v));
    default:
      return m.activation_function satisfies never;
  }
}

/**
 * Causal attention over rows of [q | k | v], with grouped key/value heads and a window of latest
 * tokens.
 */
function attention(
  m: ResolvedModel,
  qkv: Matrix,
  scales: { q: Float32Array; k: Float32Array } | null,
): Matrix {
  const n = m.head_dim;
  const kv = m.n_kv_head * n;
  const group = m.n_head / m.n_kv_head;
  const part = (t: number, start: number, scale: Float32Array | undefined) => {
    let x: Float64Array = (qkv[t] ?? new Float64Array()).slice(start, start + n);
    if (scale) x = rmsNorm(x, scale, m.norm_eps);
    return m.layout === 'llama' ? rotate(x, t, m.rope_theta) : x;
  };
  return qkv.map((_, t) => {
    const out = new Float64Array(m.n_head * n);
    const first = m.sliding_window > 0 ? Math.max(0, t - m.sliding_window + 1) : 0;
    for (let h = 0; h < m.n_head; h++) {
      const g = Math.floor(h / group);
      const q = part(t, h * n, scales?.q);
      const scores: number[] = [];
      for (let s = first; s <= t; s++)
        scores.push(dot(q, part(s, m.n_head * n + g * n, scales?.k)) / Math.sqrt(n));
      const top = Math.max(...scores);
      const e = scores.map((v) => Math.exp(v - top));
      const total = e.reduce((a, b) => a + b, 0);
      e.forEach((p, i) => {
        for (let j = 0; j < n; j++)
          out[h * n + j] =
            (out[h * n + j] ?? 0) +
            (p / total) * (qkv[first + i]?.[m.n_head * n + kv + g * n + j] ?? NaN);
      });
    }
    return out;
  });
}

function rotate(x: Float64Array, position: number, theta: number): Float64Array {
  const half = x.length / 2;
  return x.map((v, i) => {
    const angle = position * theta ** (-(i % half) / half);
    const other = x[(i + half) % x.length] ?? NaN;
    return v * Math.cos(angle) + (i < half ? -other : other) * Math.sin(angle);
  });
}
