/**
 * A model of ours from a config.json of transformers. Defaults are those of its configuration
 * classes (version 5); whatever would make the same weights compute something else than our layouts
 * do is refused by name.
 */
import * as v from 'valibot';
import {
  ModelSchema,
  resolveModel,
  type ModelConfig,
  type ResolvedModel,
} from '../config/index.ts';
import { CheckpointError, damaged, shorten } from './error.ts';
import { OWN_MODEL_TYPE, type SpecialTokens } from './hf_config.ts';
import { isRecord } from './json.ts';

const FILE = 'config.json';
const MAX_BLOCK = 4096;
const MAX_VOCAB = 2 ** 20;

export interface ImportedModel extends SpecialTokens {
  model: ResolvedModel;
  /** What was changed on the way in, as sentences for the page. */
  notes: string[];
}

const count = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(2 ** 31));
const token = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(2 ** 31));
const orNull = <T extends v.GenericSchema>(schema: T) => v.nullish(schema, null);
const special = {
  bos_token_id: orNull(token),
  eos_token_id: orNull(v.union([token, v.array(token)])),
  quantization_config: v.optional(v.unknown()),
};

const Gpt2 = v.looseObject({
  ...special,
  vocab_size: v.optional(count, 50257),
  n_positions: v.optional(count, 1024),
  n_embd: v.optional(count, 768),
  n_layer: v.optional(count, 12),
  n_head: v.optional(count, 12),
  n_inner: orNull(count),
  activation_function: v.optional(v.string(), 'gelu_new'),
  layer_norm_epsilon: v.optional(v.number(), 1e-5),
  resid_pdrop: v.optional(v.number(), 0.1),
  tie_word_embeddings: v.optional(v.boolean(), true),
  scale_attn_weights: v.optional(v.boolean(), true),
  scale_attn_by_inverse_layer_idx: v.optional(v.boolean(), false),
  add_cross_attention: v.optional(v.boolean(), false),
});
const rope = orNull(
  v.looseObject({
    rope_type: v.optional(v.string()),
    type: v.optional(v.string()),
    rope_theta: v.optional(v.number()),
    partial_rotary_factor: v.optional(v.number(), 1),
  }),
);
const Llama = v.looseObject({
  ...special,
  vocab_size: v.optional(count, 32000),
  hidden_size: v.optional(count, 4096),
  intermediate_size: v.optional(count, 11008),
  num_hidden_layers: v.optional(count, 32),
  num_attention_heads: v.optional(count, 32),
  num_key_value_heads: orNull(count),
  head_dim: orNull(count),
  hidden_act: v.optional(v.string(), 'silu'),
  max_position_embeddings: v.optional(count, 2048),
  rms_norm_eps: v.optional(v.number(), 1e-6),
  rope_theta: v.optional(v.number(), 10000),
  rope_parameters: rope,
  rope_scaling: rope,
  partial_rotary_factor: v.optional(v.number(), 1),
  attention_bias: v.optional(v.boolean(), false),
  mlp_bias: v.optional(v.boolean(), false),
  attention_dropout: v.optional(v.number(), 0),
  tie_word_embeddings: v.optional(v.boolean(), false),
  sliding_window: v.nullish(v.pipe(v.number(), v.integer(), v.minValue(0))),
  use_sliding_window: v.optional(v.boolean(), false),
  max_window_layers: v.optional(v.number(), 28),
  layer_types: v.nullish(v.array(v.string())),
});
type LlamaJson = v.InferOutput<typeof Llama>;

/**
 * Throws `bad_header` (not a model configuration) or `unsupported_model` (a model that Terrarium
 * cannot compute).
 */
export function modelFromHfConfig(json: unknown): ImportedModel {
  if (!isRecord(json)) throw damaged('bad_json', FILE, 'it does not hold a JSON object');
  switch (json.model_type) {
    case 'gpt2':
      return finish(gpt2(parse(Gpt2, json)), json);
    case 'llama':
      return finish(llama(parse(Llama, json), 0, false), json);
    // Where a field is left out, each class has its own default.
    case 'mistral':
      return finish(
        llama(
          parse(Llama, {
            intermediate_size: 14336,
            num_key_value_heads: 8,
            max_position_embeddings: 131072,
            sliding_window: 4096,
            ...json,
          }),
          'sliding_window',
          false,
        ),
        json,
      );
    case 'qwen3':
      return finish(
        llama(
          parse(Llama, {
            vocab_size: 151936,
            intermediate_size: 22016,
            num_key_value_heads: 32,
            head_dim: 128,
            max_position_embeddings: 32768,
            sliding_window: 4096,
            ...json,
          }),
          'layers',
          true,
        ),
        json,
      );
    case OWN_MODEL_TYPE:
      return own(json);
    default:
      throw unsupported(
        `is a ${typeof json.model_type === 'string' ? shorten(json.model_type, 40) : 'model of no stated type'}`,
      );
  }
}

const unsupported = (what: string): CheckpointError =>
  new CheckpointError(
    'unsupported_model',
    `The model in this folder ${what}, which Terrarium cannot compute.`,
    'Bring a GPT-2, Llama, Mistral or Qwen3 of ordinary build and small size.',
  );

function parse<const T extends v.GenericSchema>(schema: T, json: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, json);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw damaged(
    'bad_header',
    FILE,
    `${v.getDotPath(issue) ?? 'a field'} is ${shorten(issue.received, 40)} where ${shorten(issue.expected ?? 'something else', 40)} should be`,
  );
}

interface Draft {
  config: ModelConfig;
  vocab_size: number;
  notes: string[];
}

function gpt2(c: v.InferOutput<typeof Gpt2>): Draft {
  if (c.quantization_config != null) throw unsupported('is quantized');
  if (!c.scale_attn_weights || c.scale_attn_by_inverse_layer_idx)
    throw unsupported('scales its attention in another way');
  if (c.add_cross_attention) throw unsupported('has cross-attention');
  const notes: string[] = [];
  return {
    notes,
    vocab_size: c.vocab_size,
    config: model({
      layout: 'gpt2',
      n_layer: c.n_layer,
      n_head: c.n_head,
      n_kv_head: 0,
      n_embd: c.n_embd,
      n_inner: c.n_inner ?? 0,
      block_size: c.n_positions,
      bias: true,
      tie_word_embeddings: c.tie_word_embeddings,
      dropout: c.resid_pdrop,
      norm_eps: c.layer_norm_epsilon,
      activation_function: activation(c.activation_function, {
        gelu_new: 'gelu_new',
        gelu_pytorch_tanh: 'gelu_new',
        relu2: 'relu2',
      }),
    }),
  };
}

function llama(c: LlamaJson, window: 0 | 'sliding_window' | 'layers', qk_norm: boolean): Draft {
  if (c.quantization_config != null) throw unsupported('is quantized');
  if (c.attention_bias || c.mlp_bias) throw unsupported('has biases in a Llama layout');
  if (c.head_dim !== null && c.head_dim * c.num_attention_heads !== c.hidden_size)
    throw unsupported(
      `has heads of ${c.head_dim} that do not make up its width of ${c.hidden_size}`,
    );
  const notes: string[] = [];
  if (c.max_position_embeddings > MAX_BLOCK)
    notes.push(`The context was cut from ${c.max_position_embeddings} to ${MAX_BLOCK} tokens.`);
  return {
    notes,
    vocab_size: c.vocab_size,
    config: model({
      layout: 'llama',
      n_layer: c.num_hidden_layers,
      n_head: c.num_attention_heads,
      n_kv_head: c.num_key_value_heads ?? c.num_attention_heads,
      n_embd: c.hidden_size,
      n_inner: c.intermediate_size,
      block_size: Math.min(c.max_position_embeddings, MAX_BLOCK),
      bias: false,
      tie_word_embeddings: c.tie_word_embeddings,
      dropout: c.attention_dropout,
      norm_eps: c.rms_norm_eps,
      rope_theta: ropeTheta(c),
      qk_norm,
      sliding_window: slidingWindow(c, window),
      activation_function: activation(c.hidden_act, {
        silu: 'silu',
        swish: 'silu',
        relu2: 'relu2',
      }),
    }),
  };
}

function activation(
  name: string,
  known: Readonly<Record<string, ModelConfig['activation_function']>>,
): ModelConfig['activation_function'] {
  const found = Object.hasOwn(known, name) ? known[name] : undefined;
  if (!found) throw unsupported(`uses the activation ${shorten(name, 40)}`);
  return found;
}

function ropeTheta(c: LlamaJson): number {
  for (const r of [c.rope_parameters, c.rope_scaling]) {
    const type = r?.rope_type ?? r?.type ?? 'default';
    if (type !== 'default') throw unsupported(`scales its rotary positions (${shorten(type, 40)})`);
    if ((r?.partial_rotary_factor ?? 1) !== 1 || c.partial_rotary_factor !== 1)
      throw unsupported('rotates only a part of each head');
    if (r && Object.values(r).some(isRecord))
      throw unsupported('has several kinds of rotary positions');
  }
  return c.rope_parameters?.rope_theta ?? c.rope_theta;
}

/** Latest tokens that a layer attends to, 0 for all; a window as long as the context is none. */
function slidingWindow(c: LlamaJson, kind: 0 | 'sliding_window' | 'layers'): number {
  if (kind === 0) return 0;
  const window = c.sliding_window ?? 0;
  const fits = window <= MAX_BLOCK ? window : 0;
  if (kind === 'sliding_window') return fits;
  const types =
    c.layer_types ??
    Array.from({ length: Math.min(c.num_hidden_layers, 1000) }, (_, i) =>
      c.use_sliding_window && i >= c.max_window_layers ? 'sliding_attention' : 'full_attention',
    );
  const first = types[0] ?? 'full_attention';
  if (types.some((t) => t !== first))
    throw unsupported('mixes layers with and without a sliding window');
  if (first !== 'full_attention' && first !== 'sliding_attention')
    throw unsupported(`has ${shorten(first, 40)} layers`);
  return first === 'sliding_attention' ? fits : 0;
}

/** Checks the sizes against what a RunConfig may hold. */
function model(config: v.InferInput<typeof ModelSchema>): ModelConfig {
  const result = v.safeParse(ModelSchema, config);
  if (result.success) return result.output;
  const issue = result.issues[0];
  throw unsupported(
    `has ${v.getDotPath(issue) ?? 'a setting'} ${shorten(issue.received, 40)} (${shorten(issue.expected ?? 'another value', 40)} is possible here)`,
  );
}

function own(json: Readonly<Record<string, unknown>>): ImportedModel {
  const entries = Object.keys(ModelSchema.entries);
  const config = model(
    Object.fromEntries(Object.entries(json).filter(([name]) => entries.includes(name))),
  );
  const { vocab_size } = parse(v.looseObject({ vocab_size: count }), json);
  return finish({ config, vocab_size, notes: [] }, json);
}

function finish({ config, vocab_size, notes }: Draft, json: unknown): ImportedModel {
  if (config.n_embd % config.n_head !== 0)
    throw unsupported(
      `has a width of ${config.n_embd}, which ${config.n_head} heads do not divide`,
    );
  const m = resolveModel(config, vocab_size);
  if (m.n_head % m.n_kv_head !== 0)
    throw unsupported(`shares ${m.n_kv_head} key/value heads among ${m.n_head} heads`);
  if (m.layout === 'llama' && m.head_dim % 2 !== 0)
    throw unsupported(`rotates heads of the odd width ${m.head_dim}`);
  if (vocab_size > MAX_VOCAB) throw unsupported(`has a vocabulary of ${vocab_size}`);
  const { bos_token_id, eos_token_id } = parse(v.looseObject(special), json);
  const eos = Array.isArray(eos_token_id) ? (eos_token_id[0] ?? null) : eos_token_id;
  return { model: m, bos_token_id, eos_token_id: eos, notes };
}
