/** Reads config.json of transformers, or of a folder that only Terrarium reads, as a model of ours. */
import * as v from 'valibot';
import { ModelSchema, resolveModel, type ResolvedModel } from '../config/index.ts';
import { damaged, shorten } from './error.ts';
import { OWN_MODEL_TYPE, type SpecialTokens } from './hf_config.ts';
import { checkedModel, gpt2Draft, llamaDraft, type ModelDraft } from './hf_layouts.ts';
import {
  CommonSchema,
  count,
  Gpt2Schema,
  LlamaSchema,
  MISTRAL_DEFAULTS,
  parseFields,
  QWEN2_DEFAULTS,
  QWEN3_DEFAULTS,
  unsupported,
} from './hf_schema.ts';
import { isRecord, type JsonRecord } from './json.ts';

const MAX_VOCAB = 2 ** 20;

export interface ImportedModel extends SpecialTokens {
  model: ResolvedModel;
  /** Sentences for the page about what was changed. */
  notes: string[];
}

/**
 * Throws `bad_json` or `bad_header` for a file that is not a model configuration, and
 * `unsupported_model` for a model that Terrarium cannot compute.
 */
export function modelFromHfConfig(json: unknown): ImportedModel {
  if (!isRecord(json)) throw damaged('bad_json', 'config.json', 'it does not contain an object');
  const draft = draftOf(json);
  const { bos_token_id, eos_token_id, pad_token_id } = parseFields(CommonSchema, json);
  const eos = Array.isArray(eos_token_id) ? (eos_token_id[0] ?? null) : eos_token_id;
  return {
    model: resolved(draft),
    bos_token_id,
    eos_token_id: eos,
    pad_token_id: pad_token_id ?? undefined,
    notes: draft.notes,
  };
}

function draftOf(json: JsonRecord): ModelDraft {
  switch (json.model_type) {
    case 'gpt2':
      return gpt2Draft(parseFields(Gpt2Schema, json));
    case 'llama':
      return llamaDraft(parseFields(LlamaSchema, json), { window: 'none' });
    case 'mistral': {
      const fields = parseFields(LlamaSchema, { ...MISTRAL_DEFAULTS, ...json });
      return llamaDraft(fields, { window: 'all' });
    }
    case 'qwen2': {
      const fields = parseFields(LlamaSchema, { ...QWEN2_DEFAULTS, ...json });
      return llamaDraft(fields, { qkv_bias: true, window: 'by_layer' });
    }
    case 'qwen3': {
      const fields = parseFields(LlamaSchema, { ...QWEN3_DEFAULTS, ...json });
      return llamaDraft(fields, { qk_norm: true, window: 'by_layer' });
    }
    case OWN_MODEL_TYPE:
      return ownDraft(json);
    default: {
      const { model_type: type } = json;
      throw unsupported(
        typeof type === 'string' ? `is a ${shorten(type, 40)}` : 'does not state its type',
      );
    }
  }
}

/** A model without an equivalent in transformers, saved with the names of `ModelConfig`. */
function ownDraft(json: JsonRecord): ModelDraft {
  const names = Object.keys(ModelSchema.entries);
  const fields = Object.entries(json).filter(([name]) => names.includes(name));
  const { vocab_size } = parseFields(v.looseObject({ vocab_size: count }), json);
  return { config: checkedModel(Object.fromEntries(fields)), vocab_size, notes: [] };
}

/** Checks the sizes against each other. */
function resolved({ config, vocab_size }: ModelDraft): ResolvedModel {
  const { n_embd, n_head } = config;
  if (config.head_dim === 0 && n_embd % n_head !== 0) {
    throw unsupported(`has a width of ${n_embd}, which is not divisible by its ${n_head} heads`);
  }
  const model = resolveModel(config, vocab_size);
  if (n_head % model.n_kv_head !== 0) {
    throw unsupported(`shares ${model.n_kv_head} key/value heads among ${n_head} heads`);
  }
  if (model.layout === 'llama' && model.head_dim % 2 !== 0) {
    throw unsupported(`rotates heads of the odd width ${model.head_dim}`);
  }
  if (vocab_size > MAX_VOCAB) throw unsupported(`has a vocabulary of ${vocab_size} tokens`);
  return model;
}
