/**
 * The parameters of a model by name, in their order in the flat buffers.
 *
 * Names are Hugging Face's where the tensor is theirs. A linear weight is stored [in, out], as in
 * GPT-2's Conv1D and transposed against `nn.Linear`. Llama's q, k, v and gate, up are packed side by
 * side along `out`, so that each group is one matmul; `parts` says how export splits them.
 * Embeddings and `lm_head.weight` are [vocab_size, n_embd].
 */
import type { ResolvedModel } from '../config/index.ts';
import { blockNames, embeddingName, finalNormName } from './layout.ts';

/** One tensor of a Hugging Face checkpoint inside a parameter: columns [start, end). */
export interface ParameterPart {
  name: string;
  start: number;
  end: number;
  /** Whether the checkpoint stores the transpose. */
  transpose: boolean;
}

export interface Parameter {
  name: string;
  shape: readonly number[];
  /** Normal with this standard deviation, uniform in [-bound, bound), or a constant. */
  init:
    | { kind: 'normal'; std: number }
    | { kind: 'uniform'; bound: number }
    | { kind: 'constant'; value: number };
  /** Whether weight decay and Muon apply: matrices only (two dimensions or more). */
  decay: boolean;
  /** Under Muon, embeddings and the head stay with AdamW. */
  kind: 'embedding' | 'matrix' | 'head' | 'norm' | 'bias';
  parts: readonly ParameterPart[];
}

/** Number of values of a parameter. */
export function parameterSize({ shape }: Pick<Parameter, 'shape'>): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** All parameters: matrices (with weight decay), then vectors, each group in forward order. */
export function listParameters(model: ResolvedModel): Parameter[] {
  const all = model.layout === 'gpt2' ? gpt2Parameters(model) : llamaParameters(model);
  const matrices = all.filter((parameter) => parameter.decay);
  const vectors = all.filter((parameter) => !parameter.decay);
  return [...matrices, ...vectors];
}

/** Standard deviation of initial weights (`initializer_range` of transformers' GPT-2 and Llama). */
const STD = 0.02;

/**
 * GPT-2: projections into the residual stream are divided by sqrt(2 n_layer) (Radford et al. 2019;
 * nanoGPT).
 */
function gpt2Parameters(model: ResolvedModel): Parameter[] {
  const { n_embd, n_inner, vocab_size, block_size, n_layer } = model;
  const residualStd = STD / Math.sqrt(2 * n_layer);
  const norm = (name: string): Parameter[] => [
    vector(`${name}.weight`, n_embd, 'norm'),
    ...biasIf(model.bias, name, n_embd),
  ];
  const linear = (name: string, shape: [number, number], std = STD): Parameter[] => [
    matrix(`${name}.weight`, shape, { std }),
    ...biasIf(model.bias, name, shape[1]),
  ];
  const block = (layer: number): Parameter[] => {
    const names = blockNames(model, layer);
    return [
      ...norm(names.attentionNorm),
      ...linear(names.qkv, [n_embd, 3 * n_embd]),
      ...linear(names.attentionOutput, [n_embd, n_embd], residualStd),
      ...norm(names.mlpNorm),
      ...linear(`${names.mlp}.c_fc`, [n_embd, n_inner]),
      ...linear(`${names.mlp}.c_proj`, [n_inner, n_embd], residualStd),
    ];
  };
  return [
    matrix(embeddingName(model), [vocab_size, n_embd], { kind: 'embedding' }),
    matrix('transformer.wpe.weight', [block_size, n_embd], { kind: 'embedding' }),
    ...layers(model, block),
    ...norm(finalNormName(model)),
    ...untiedHead(model),
  ];
}

/**
 * Llama: all matrices have the same standard deviation. Linear layers have no biases, except those
 * of queries, keys and values in Qwen2.
 */
function llamaParameters(model: ResolvedModel): Parameter[] {
  const { n_embd, n_inner, vocab_size, head_dim } = model;
  const q = model.n_head * head_dim;
  const kv = model.n_kv_head * head_dim;
  const norm = (name: string, size: number): Parameter => vector(`${name}.weight`, size, 'norm');
  const block = (layer: number): Parameter[] => {
    const names = blockNames(model, layer);
    const attention = `model.layers.${layer}.self_attn`;
    const qkv = [
      [`${attention}.q_proj`, q],
      [`${attention}.k_proj`, kv],
      [`${attention}.v_proj`, kv],
    ] as const;
    const queryKeyNorms = [norm(names.qNorm, head_dim), norm(names.kNorm, head_dim)];
    return [
      norm(names.attentionNorm, n_embd),
      packed(names.qkv, n_embd, qkv),
      ...(model.qkv_bias ? [packedBias(names.qkv, qkv)] : []),
      ...(model.qk_norm ? queryKeyNorms : []),
      packed(names.attentionOutput, q, [[names.attentionOutput, n_embd]]),
      norm(names.mlpNorm, n_embd),
      packed(`${names.mlp}.gate_up_proj`, n_embd, [
        [`${names.mlp}.gate_proj`, n_inner],
        [`${names.mlp}.up_proj`, n_inner],
      ]),
      packed(`${names.mlp}.down_proj`, n_inner, [[`${names.mlp}.down_proj`, n_embd]]),
    ];
  };
  return [
    matrix(embeddingName(model), [vocab_size, n_embd], { kind: 'embedding' }),
    ...layers(model, block),
    norm(finalNormName(model), n_embd),
    ...untiedHead(model),
  ];
}

function layers({ n_layer }: ResolvedModel, block: (layer: number) => Parameter[]): Parameter[] {
  return Array.from({ length: n_layer }, (_, layer) => block(layer)).flat();
}

function untiedHead({ tie_word_embeddings, vocab_size, n_embd }: ResolvedModel): Parameter[] {
  if (tie_word_embeddings) return [];
  return [matrix('lm_head.weight', [vocab_size, n_embd], { kind: 'head' })];
}

function biasIf(bias: boolean, name: string, size: number): Parameter[] {
  return bias ? [vector(`${name}.bias`, size, 'bias')] : [];
}

/** A norm's weight starts at one, a bias at zero. */
function vector(name: string, size: number, kind: 'norm' | 'bias'): Parameter {
  return {
    name,
    shape: [size],
    init: { kind: 'constant', value: kind === 'norm' ? 1 : 0 },
    decay: false,
    kind,
    parts: [{ name, start: 0, end: size, transpose: false }],
  };
}

interface MatrixOptions {
  kind?: Parameter['kind'];
  std?: number;
  /** Defaults to the whole matrix under its own name. */
  parts?: readonly ParameterPart[];
}

function matrix(name: string, shape: [number, number], options: MatrixOptions): Parameter {
  return {
    name,
    shape,
    init: { kind: 'normal', std: options.std ?? STD },
    decay: true,
    kind: options.kind ?? 'matrix',
    parts: options.parts ?? [{ name, start: 0, end: shape[1], transpose: false }],
  };
}

/** Linear layers that are packed side by side: the name and the output features of each. */
type Columns = readonly (readonly [name: string, out_features: number])[];

/** Linear weights [in, out] of Llama side by side. */
function packed(name: string, in_features: number, columns: Columns): Parameter {
  const parts = sideBySide(columns).map((part): ParameterPart => ({
    ...part,
    name: `${part.name}.weight`,
    transpose: true,
  }));
  return matrix(`${name}.weight`, [in_features, parts.at(-1)?.end ?? 0], { parts });
}

/** Their biases side by side. */
function packedBias(name: string, columns: Columns): Parameter {
  const parts = sideBySide(columns).map((part): ParameterPart => ({
    ...part,
    name: `${part.name}.bias`,
    transpose: false,
  }));
  return { ...vector(`${name}.bias`, parts.at(-1)?.end ?? 0, 'bias'), parts };
}

function sideBySide(columns: Columns): Omit<ParameterPart, 'transpose'>[] {
  let end = 0;
  return columns.map(([name, out_features]) => {
    const start = end;
    end += out_features;
    return { name, start, end };
  });
}
