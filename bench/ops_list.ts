/**
 * Inputs of each operation at the sizes that it has in a step of a configuration. A test holds this
 * list against `allOps`.
 */
import { columns, sortSegments } from '../src/ops/index.ts';
import { CONFIGS, type ConfigName, mulberry } from './configs.ts';

export interface OpInput {
  shape: readonly number[];
  dtype: 'float32' | 'int32';
  values: () => Float32Array | Int32Array;
}
export interface OpEntry {
  /** What sets it apart from other entries of the operation. */
  title: string;
  /**
   * The case of the operation whose attributes it takes; sizes among them are replaced by `attrs`.
   */
  like?: string;
  inputs: Record<string, OpInput>;
  /** Floating-point operations, where those and not bytes decide. */
  flops?: number;
}

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/**
 * Random values: a block of normal numbers over and over, since making a hundred million takes
 * longer than timing them.
 */
export function normal(n: number): Float32Array {
  const next = mulberry(n);
  const block = Float32Array.from(
    { length: Math.min(n, 65521) },
    () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
  );
  const values = new Float32Array(n);
  for (let at = 0; at < n; at += block.length)
    values.set(block.subarray(0, Math.min(block.length, n - at)), at);
  return values;
}
const f = (...shape: number[]): OpInput => ({
  shape,
  dtype: 'float32',
  values: () => normal(size(shape)),
});
const constant = (value: number, ...shape: number[]): OpInput => ({
  shape,
  dtype: 'float32',
  values: () => new Float32Array(size(shape)).fill(value),
});
const int = (shape: readonly number[], value: (i: number) => number): OpInput => ({
  shape,
  dtype: 'int32',
  values: () => Int32Array.from({ length: size(shape) }, (_, i) => value(i)),
});
const options = (values: readonly number[]): OpInput => ({
  shape: [values.length],
  dtype: 'float32',
  values: () => Float32Array.from(values),
});

function ids(n: number, below: number): Record<'ids' | 'sorted' | 'starts', OpInput> {
  const next = mulberry(n);
  const list = Int32Array.from({ length: n }, () => Math.floor(next() * below));
  const { sorted, starts } = sortSegments(list, below);
  return {
    ids: int([n], (i) => list[i] ?? 0),
    sorted: int([n], (i) => sorted[i] ?? 0),
    starts: int([below + 1], (i) => starts[i] ?? 0),
  };
}

/** The attributes that are sizes. Operations take from it what they have. */
export function sizeAttrs(name: ConfigName) {
  const c = CONFIGS[name];
  return {
    B: c.batch_size,
    T: c.block_size,
    N: c.batch_size * c.block_size,
    T_max: c.block_size,
    n_head: c.n_head,
    n_kv_head: c.n_head,
    head_dim: c.n_embd / c.n_head,
    rows_per_sequence: c.block_size,
    decayed: parameters(name),
    chunk: 64 * Math.ceil(c.vocab_size / 128),
  };
}

function parameters(name: ConfigName): number {
  const c = CONFIGS[name];
  const d = c.n_embd;
  return (
    (c.vocab_size + c.block_size) * d +
    c.n_layer * (4 * d * d + 2 * d * c.n_inner + 9 * d + c.n_inner) +
    2 * d
  );
}

/** Entries by operation. */
export function opEntries(name: ConfigName): Record<string, OpEntry[]> {
  const c = CONFIGS[name];
  const N = c.batch_size * c.block_size;
  const D = c.n_embd;
  const F = c.n_inner;
  const V = c.vocab_size;
  const H = c.n_head;
  const hd = D / H;
  const W = columns({ n_head: H, n_kv_head: H, head_dim: hd }).width;
  const P = parameters(name);
  const B = c.batch_size;
  const T = c.block_size;
  const one = (inputs: Record<string, OpInput>, flops?: number): OpEntry[] => [
    {
      title: Object.values(inputs)
        .slice(0, 2)
        .map((i) => i.shape.join('x'))
        .join(', '),
      inputs,
      flops,
    },
  ];
  const product = (form: 'nn' | 'nt' | 'tn', m: number, n: number, k: number): OpEntry => ({
    title: `${form} ${m}x${n}x${k}`,
    like: form,
    flops: 2 * m * n * k,
    inputs: { a: form === 'tn' ? f(k, m) : f(m, k), b: form === 'nt' ? f(n, k) : f(k, n) },
  });
  const attend = 4 * B * H * T * T * hd;
  const rng = int([4], (i) => [1337, 3, 0, 0][i] ?? 0);
  const positions = int([N], (i) => i % T);
  // One document per sequence: the same work as plain attention.
  const document_starts = int([N], () => 0);
  const saved = { qkv: f(N, W), y: f(N, D), lse: constant(8, B, H, T), dy: f(N, D) };
  const mlp = { x: f(N, D), fc_weight: f(D, F), proj_weight: f(F, D) };
  const biases = { fc_bias: f(F), proj_bias: f(D) };
  const places = ids(N, T);
  const moments = { norm: constant(2), inverse_scale: constant(1), scalars: constant(0.5, 5) };
  return {
    // Every product of a step: forward, then gradients of inputs, then of weights; the head last.
    matmul: [
      product('nn', N, W, D),
      product('nn', N, D, D),
      product('nn', N, F, D),
      product('nn', N, D, F),
      product('nt', N, V, D),
      product('nt', N, D, W),
      product('nt', N, D, D),
      product('nt', N, D, F),
      product('nt', N, F, D),
      product('nn', N, D, V),
      product('tn', D, W, N),
      product('tn', D, D, N),
      product('tn', D, F, N),
      product('tn', F, D, N),
      product('tn', V, D, N),
    ],
    linear: one({ x: f(N, D), weight: f(D, F) }, 2 * N * D * F),
    linear_bias: one({ x: f(N, D), weight: f(D, W), bias: f(W) }, 2 * N * D * W),
    linear_add: one({ x: f(N, D), weight: f(D, D), residual: f(N, D) }, 2 * N * D * D),
    linear_bias_add: one(
      { x: f(N, F), weight: f(F, D), bias: f(D), residual: f(N, D) },
      2 * N * D * F,
    ),
    linear_bias_grad: one({ x: f(N, D), dy: f(N, W) }, 2 * N * D * W),
    attention: one({ qkv: f(N, W) }, attend),
    attention_grad: one(saved, 2.5 * attend),
    attention_dropout: one({ qkv: f(N, W), rng }, attend),
    attention_dropout_grad: one({ ...saved, rng }, 2.5 * attend),
    attention_documents: one({ qkv: f(N, W), document_starts }, attend),
    attention_documents_grad: one({ ...saved, document_starts }, 2.5 * attend),
    attention_documents_dropout: one({ qkv: f(N, W), document_starts, rng }, attend),
    attention_documents_dropout_grad: one({ ...saved, document_starts, rng }, 2.5 * attend),
    attention_decode: one({ qkv: f(B, W), cache: f(N, 2 * D), positions: int([B], () => T - 1) }),
    cache_write: one({ cache: f(N, 2 * D), qkv: f(B, W), positions: int([B], () => T - 1) }),
    sample_token: [1, B].flatMap((rows) =>
      (['plain', 'top_k 50, top_p 0.9'] as const).map((title) => ({
        title: `${rows} rows of ${V}, ${title}`,
        inputs: {
          logits: f(rows, V),
          control: int([rows, 3], (i) => i),
          progress: int([rows, 2], () => 9),
          options: options(title === 'plain' ? [1, 0, 1, 0] : [1, 50, 0.9, 0]),
        },
      })),
    ),
    record_token: one({
      ids: int([B], () => 0),
      positions: int([B], () => 0),
      progress: int([B, 2], () => 9),
      history_ids: int([B, 32, 5], () => 0),
      history_probabilities: f(B, 32, 5),
      chosen: int([B, 5], () => 1),
      probabilities: f(B, 5),
      control: int([B, 3], () => 1),
    }),
    take_rows: one({ x: f(N, D), rows: int([B], (i) => i * T) }),
    take_rows_grad: one({ dy: f(B, D), rows: int([B], (i) => i * T) }),
    sequence_logps: one({ logps: f(N), weights: constant(1, N) }),
    sequence_logps_grad: one({ dsums: f(B), weights: constant(1, N) }),
    layer_norm: one({ x: f(N, D), weight: f(D), bias: f(D) }),
    layer_norm_no_bias: one({ x: f(N, D), weight: f(D) }),
    layer_norm_grad_x: one({
      x: f(N, D),
      weight: f(D),
      mean: constant(0, N),
      rstd: constant(1, N),
      dy: f(N, D),
    }),
    layer_norm_grad: one({
      x: f(N, D),
      weight: f(D),
      mean: constant(0, N),
      rstd: constant(1, N),
      dy: f(N, D),
    }),
    layer_norm_no_bias_grad: one({
      x: f(N, D),
      weight: f(D),
      mean: constant(0, N),
      rstd: constant(1, N),
      dy: f(N, D),
    }),
    rms_norm: one({ x: f(N, D), weight: f(D) }),
    rms_norm_grad_x: one({ x: f(N, D), weight: f(D), rstd: constant(1, N), dy: f(N, D) }),
    rms_norm_grad: one({ x: f(N, D), weight: f(D), rstd: constant(1, N), dy: f(N, D) }),
    qk_norm: one({ qkv: f(N, W), q_weight: f(hd), k_weight: f(hd) }),
    qk_norm_grad_input: one({ qkv: f(N, W), q_weight: f(hd), k_weight: f(hd), dy: f(N, W) }),
    qk_norm_grad_weight: one({ qkv: f(N, W), dy: f(N, W) }),
    rope: one({ qkv: f(N, W), positions, table: f(T, hd) }),
    mlp: one(mlp, 4 * N * D * F),
    mlp_bias: one({ ...mlp, ...biases }, 4 * N * D * F),
    mlp_add: one({ ...mlp, residual: f(N, D) }, 4 * N * D * F),
    mlp_bias_add: one({ ...mlp, ...biases, residual: f(N, D) }, 4 * N * D * F),
    mlp_hidden_grad: one({ dy: f(N, D), weight: f(F, D), before: f(N, F) }, 2 * N * D * F),
    swiglu: one({ gate_up: f(N, 2 * F) }),
    swiglu_grad: one({ gate_up: f(N, 2 * F), dy: f(N, F) }),
    relu2_glu: one({ gate_up: f(N, 2 * F) }),
    relu2_glu_grad: one({ gate_up: f(N, 2 * F), dy: f(N, F) }),
    add: one({ a: f(N, D), b: f(N, D) }),
    dropout: one({ x: f(N, D), rng }),
    dropout_add: one({ x: f(N, D), rng, residual: f(N, D) }),
    embedding: one({ weight: f(V, D), ...ids(N, V) }),
    position_embedding: one({
      weight: f(V, D),
      ...ids(N, V),
      position_weight: f(T, D),
      positions: places.ids,
      positions_sorted: places.sorted,
      positions_starts: places.starts,
    }),
    embedding_grad: one({ dy: f(N, D), ...ids(N, V) }),
    cross_entropy: one({ logits: f(N, V), targets: ids(N, V).ids }),
    cross_entropy_grad: one({
      logits: f(N, V),
      targets: ids(N, V).ids,
      lse: constant(10, N),
      dloss: constant(1 / N, N),
    }),
    head_cross_entropy: one({ x: f(N, D), weight: f(V, D), targets: ids(N, V).ids }, 2 * N * V * D),
    head_cross_entropy_grad: one(
      {
        x: f(N, D),
        weight: f(V, D),
        targets: ids(N, V).ids,
        lse: constant(10, N),
        dloss: constant(1 / N, N),
      },
      6 * N * V * D,
    ),
    step_sums: one({ weights: constant(1 / N, N), loss: f(N), correct: constant(1, N) }),
    weighted_sum: one({ weights: constant(1 / N, N), x: f(N) }),
    grad_norm: one({ x: f(P) }),
    sum_of_squares: one({ x: f(P) }),
    step_results: one({ parts: f(256), sums: f(2) }),
    scaled_step_results: one({
      parts: constant(1, 256),
      sums: f(2),
      scale: constant(1024, 1),
      counts: constant(0, 2),
      scalars: constant(0.5, 5),
    }),
    scaled_weights: one({ weights: constant(1 / N, N), scale: constant(1024, 1) }),
    adam_update: one({
      parameter: f(P),
      gradient: f(P),
      exp_avg: f(P),
      exp_avg_sq: constant(0.1, P),
      ...moments,
    }),
    sgd_update: one({ parameter: f(P), gradient: f(P), momentum_buffer: f(P), ...moments }),
  };
}
