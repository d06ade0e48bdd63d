/**
 * Reads the sizes of a model from a config.json of transformers, to plan it. Unlike an import, which
 * must compute the same as the original (`src/checkpoint`), this needs sizes alone, and accepts
 * models that are too large for a page.
 */
import { defaultConfig, resolveModel, type ResolvedModel } from '../../config/index.ts';

/** A config.json that cannot be planned. The message is a sentence for the page. */
export class ModelJsonError extends Error {
  override readonly name = 'ModelJsonError';
}

type Json = Record<string, unknown>;

/** Fields of mixtures of experts; a dense model has none of them, or null. */
const EXPERTS = ['num_local_experts', 'num_experts', 'n_routed_experts', 'moe_num_experts'];

/** Longest file that is read: a configuration has a few kB. */
const MAX_LENGTH = 1_000_000;
const MAX_SIZE = 2 ** 24;

/**
 * The model of a config.json: GPT-2's names, or Llama's, which Mistral and Qwen share. Throws
 * `ModelJsonError`.
 */
export function modelFromJson(text: string): ResolvedModel {
  const json = parseObject(text);
  const inner = isJson(json.text_config) ? json.text_config : json;
  if (EXPERTS.some((name) => (inner[name] ?? null) !== null))
    throw new ModelJsonError(
      'This model is a mixture of experts, whose layers are not planned here; choose a dense model.',
    );
  return 'n_embd' in inner ? gpt2Sizes(inner) : llamaSizes(inner);
}

/** Types whose layers are those of `llamaSizes`, or differ from them by some norms only. */
const LLAMA_TYPES = /^(llama|mistral|ministral|qwen|gemma|phi3|smollm3|olmo|granite|cohere)/u;

/** Types whose configurations leave out that the embedding is tied, which is their default. */
const TIED_TYPES = /^(gemma|cohere|smollm3)/u;

/**
 * A sentence for the page if `modelFromJson` takes a model of an unknown type for a Llama or a GPT-2;
 * '' otherwise. Throws `ModelJsonError`.
 */
export function noteOnModel(text: string): string {
  const json = parseObject(text);
  const inner = isJson(json.text_config) ? json.text_config : json;
  const { model_type } = { model_type: json.model_type, ...inner };
  const isGpt2 = 'n_embd' in inner;
  const known = isGpt2 ? /^(gpt2|undefined)$/u : LLAMA_TYPES;
  if (known.test(String(model_type))) return '';
  const name = isGpt2 ? 'GPT-2' : 'Llama';
  const type =
    typeof model_type === 'string' ? `The type “${model_type.slice(0, 40)}”` : 'Its type';
  return `${type} is not known here: what is planned is a ${name} of these sizes.`;
}

function parseObject(text: string): Json {
  if (text.length > MAX_LENGTH)
    throw new ModelJsonError('The file is too long for a config.json; choose the one of a model.');
  try {
    const json: unknown = JSON.parse(text);
    if (isJson(json)) return json;
  } catch {
    // Reported below.
  }
  throw new ModelJsonError(
    'The file is not a JSON object; choose the config.json of a model of transformers.',
  );
}

const isJson = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function gpt2Sizes(json: Json): ResolvedModel {
  const n_embd = size(json, 'n_embd');
  return checked({
    ...defaultConfig().model,
    layout: 'gpt2',
    n_layer: size(json, 'n_layer'),
    n_head: size(json, 'n_head'),
    n_embd,
    head_dim: headSize(json, 'n_embd', 'n_head'),
    n_inner: size(json, 'n_inner', 4 * n_embd),
    block_size: size(json, 'n_positions', 1024),
    dropout: typeof json.resid_pdrop === 'number' ? json.resid_pdrop : 0.1,
    tie_word_embeddings: json.tie_word_embeddings !== false,
    vocab_size: size(json, 'vocab_size'),
  });
}

function llamaSizes(json: Json): ResolvedModel {
  const n_head = size(json, 'num_attention_heads');
  const n_embd = size(json, 'hidden_size');
  const tiedByDefault = TIED_TYPES.test(String(json.model_type));
  return checked({
    ...defaultConfig().model,
    layout: 'llama',
    activation_function: 'silu',
    bias: false,
    n_layer: size(json, 'num_hidden_layers'),
    n_head,
    n_kv_head: size(json, 'num_key_value_heads', n_head),
    n_embd,
    head_dim:
      (json.head_dim ?? null) === null
        ? headSize(json, 'hidden_size', 'num_attention_heads')
        : size(json, 'head_dim'),
    n_inner: size(json, 'intermediate_size'),
    block_size: size(json, 'max_position_embeddings', 2048),
    qkv_bias: json.model_type === 'qwen2' || json.attention_bias === true,
    qk_norm: json.model_type === 'qwen3',
    tie_word_embeddings:
      json.tie_word_embeddings === true || (tiedByDefault && json.tie_word_embeddings !== false),
    vocab_size: size(json, 'vocab_size'),
  });
}

/** The head size that follows from the two fields of these names. */
function headSize(json: Json, width: string, heads: string): number {
  const [n_embd, n_head] = [size(json, width), size(json, heads)];
  if (n_embd % n_head === 0) return n_embd / n_head;
  throw new ModelJsonError(
    `${width} ${n_embd} is not divisible by ${heads} ${n_head}, so the file describes no model; ` +
      'correct one of them.',
  );
}

/** A positive whole number; `otherwise` if the field is absent or null. */
function size(json: Json, name: string, otherwise?: number): number {
  const value = json[name] ?? otherwise;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value <= MAX_SIZE)
    return value;
  if (value === undefined)
    throw new ModelJsonError(
      `The file does not state ${name}; choose the config.json of a GPT-2, Llama, Mistral or Qwen model.`,
    );
  throw new ModelJsonError(
    `${name} is ${text(value)} in this file; a model has a whole number from 1 to ` +
      `${MAX_SIZE.toLocaleString('en')} there.`,
  );
}

const text = (value: unknown): string => JSON.stringify(value).slice(0, 40);

function checked({ vocab_size, ...config }: ResolvedModel): ResolvedModel {
  const model = resolveModel(config, vocab_size);
  if (model.n_head % model.n_kv_head !== 0)
    throw new ModelJsonError(
      `${model.n_head} heads cannot share ${model.n_kv_head} key/value heads evenly.`,
    );
  return model;
}
