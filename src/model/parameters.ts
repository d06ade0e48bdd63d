/**
 * The parameters of a model by name, in the order in which they lie in the flat buffers.
 *
 * Names are Hugging Face's where its layout is ours. A linear weight is stored [in, out] (as
 * GPT-2's Conv1D does, and the transpose of `nn.Linear`). Llama's q, k, v and gate, up are packed
 * side by side along `out`, so that each is one product; `parts` says how they are cut for export.
 * Embeddings and `lm_head.weight` are [vocab_size, n_embd].
 */
import type { ResolvedModel } from '../config/index.ts';

/**
 * One tensor of a Hugging Face checkpoint inside a parameter of ours: columns [start, end) of it,
 * transposed on the way out.
 */
export interface ParameterPart {
  name: string;
  start: number;
  end: number;
  transpose: boolean;
}

export interface Parameter {
  name: string;
  shape: readonly number[];
  /** Normal with this standard deviation, or a constant. */
  init: { kind: 'normal'; std: number } | { kind: 'constant'; value: number };
  /** Weight decay and Muon take matrices alone (two dimensions and more). */
  decay: boolean;
  /** Embeddings and the head stay with AdamW under Muon. */
  kind: 'embedding' | 'matrix' | 'head' | 'norm' | 'bias';
  parts: readonly ParameterPart[];
}

const size = (p: { shape: readonly number[] }) => p.shape.reduce((a, b) => a * b, 1);

/** Number of values of a parameter. */
export const parameterSize = size;

/**
 * All parameters of a model, matrices (decayed) first, then vectors, each group in forward order.
 */
export function listParameters(model: ResolvedModel): Parameter[] {
  const all = model.layout === 'gpt2' ? gpt2(model) : llama(model);
  return [...all.filter((p) => p.decay), ...all.filter((p) => !p.decay)];
}

const whole = (name: string, shape: readonly number[]): ParameterPart[] => [
  { name, start: 0, end: shape[shape.length - 1] ?? 1, transpose: false },
];
const vector = (name: string, n: number, value: number): Parameter => ({
  name,
  shape: [n],
  init: { kind: 'constant', value },
  decay: false,
  kind: value === 1 ? 'norm' : 'bias',
  parts: whole(name, [n]),
});
const matrix = (
  name: string,
  shape: readonly number[],
  std: number,
  kind: Parameter['kind'] = 'matrix',
  parts?: ParameterPart[],
): Parameter => ({
  name,
  shape,
  init: { kind: 'normal', std },
  decay: true,
  kind,
  parts: parts ?? whole(name, shape),
});

/**
 * GPT-2: weights N(0, 0.02), projections into the residual stream divided by sqrt(2 n_layer)
 * (Radford et al. 2019; nanoGPT).
 */
function gpt2(m: ResolvedModel): Parameter[] {
  const d = m.n_embd;
  const std = 0.02;
  const residual = std / Math.sqrt(2 * m.n_layer);
  const p: Parameter[] = [];
  const norm = (name: string) => {
    p.push(vector(`${name}.weight`, d, 1));
    if (m.bias) p.push(vector(`${name}.bias`, d, 0));
  };
  const linear = (name: string, a: number, b: number, s: number) => {
    p.push(matrix(`${name}.weight`, [a, b], s));
    if (m.bias) p.push(vector(`${name}.bias`, b, 0));
  };
  p.push(
    matrix('transformer.wte.weight', [m.vocab_size, d], std, 'embedding'),
    matrix('transformer.wpe.weight', [m.block_size, d], std, 'embedding'),
  );
  for (let i = 0; i < m.n_layer; i++) {
    const h = `transformer.h.${i}`;
    norm(`${h}.ln_1`);
    linear(`${h}.attn.c_attn`, d, 3 * d, std);
    linear(`${h}.attn.c_proj`, d, d, residual);
    norm(`${h}.ln_2`);
    linear(`${h}.mlp.c_fc`, d, m.n_inner, std);
    linear(`${h}.mlp.c_proj`, m.n_inner, d, residual);
  }
  norm('transformer.ln_f');
  if (!m.tie_word_embeddings) p.push(matrix('lm_head.weight', [m.vocab_size, d], std, 'head'));
  return p;
}

/** Llama: every matrix N(0, 0.02), no biases (`initializer_range` of transformers' LlamaConfig). */
function llama(m: ResolvedModel): Parameter[] {
  const d = m.n_embd;
  const q = m.n_head * m.head_dim;
  const kv = m.n_kv_head * m.head_dim;
  const f = m.n_inner;
  const std = 0.02;
  const p: Parameter[] = [];
  const part = (name: string, start: number, end: number): ParameterPart => ({
    name: `${name}.weight`,
    start,
    end,
    transpose: true,
  });
  p.push(matrix('model.embed_tokens.weight', [m.vocab_size, d], std, 'embedding'));
  for (let i = 0; i < m.n_layer; i++) {
    const h = `model.layers.${i}`;
    const a = `${h}.self_attn`;
    p.push(vector(`${h}.input_layernorm.weight`, d, 1));
    p.push(
      matrix(`${a}.qkv_proj.weight`, [d, q + 2 * kv], std, 'matrix', [
        part(`${a}.q_proj`, 0, q),
        part(`${a}.k_proj`, q, q + kv),
        part(`${a}.v_proj`, q + kv, q + 2 * kv),
      ]),
    );
    if (m.qk_norm)
      p.push(
        vector(`${a}.q_norm.weight`, m.head_dim, 1),
        vector(`${a}.k_norm.weight`, m.head_dim, 1),
      );
    p.push(matrix(`${a}.o_proj.weight`, [q, d], std, 'matrix', [part(`${a}.o_proj`, 0, d)]));
    p.push(vector(`${h}.post_attention_layernorm.weight`, d, 1));
    p.push(
      matrix(`${h}.mlp.gate_up_proj.weight`, [d, 2 * f], std, 'matrix', [
        part(`${h}.mlp.gate_proj`, 0, f),
        part(`${h}.mlp.up_proj`, f, 2 * f),
      ]),
    );
    p.push(
      matrix(`${h}.mlp.down_proj.weight`, [f, d], std, 'matrix', [
        part(`${h}.mlp.down_proj`, 0, d),
      ]),
    );
  }
  p.push(vector('model.norm.weight', d, 1));
  if (!m.tie_word_embeddings) p.push(matrix('lm_head.weight', [m.vocab_size, d], std, 'head'));
  return p;
}
