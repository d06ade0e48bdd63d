/** Names of parameters in the two layouts: GPT-2 (Radford et al. 2019), Llama (Touvron et al. 2023). */
import type { ResolvedModel } from '../config/index.ts';

export function isGpt2(model: ResolvedModel): boolean {
  return model.layout === 'gpt2';
}

/** Whether a linear layer has a bias: all or none in GPT-2; in Llama only q, k and v may (Qwen2). */
export function hasBias(model: ResolvedModel, layer: string): boolean {
  return isGpt2(model) ? model.bias : model.qkv_bias && layer.endsWith('.qkv_proj');
}

/** Index of the block that a parameter is in; null for the embeddings, the final norm and heads. */
export function blockOf(parameter: string): number | null {
  const index = /\.(?:h|layers)\.(\d+)\./.exec(parameter)?.[1];
  return index === undefined ? null : Number(index);
}

/** Modules of one transformer block. */
export interface BlockNames {
  attentionNorm: string;
  /** Query, key and value projections, packed along the output features. */
  qkv: string;
  qNorm: string;
  kNorm: string;
  attentionOutput: string;
  mlpNorm: string;
  mlp: string;
}

export function blockNames(model: ResolvedModel, layer: number): BlockNames {
  const gpt2 = isGpt2(model);
  const block = gpt2 ? `transformer.h.${layer}` : `model.layers.${layer}`;
  const attention = gpt2 ? `${block}.attn` : `${block}.self_attn`;
  return {
    attentionNorm: gpt2 ? `${block}.ln_1` : `${block}.input_layernorm`,
    qkv: gpt2 ? `${attention}.c_attn` : `${attention}.qkv_proj`,
    qNorm: `${attention}.q_norm`,
    kNorm: `${attention}.k_norm`,
    attentionOutput: gpt2 ? `${attention}.c_proj` : `${attention}.o_proj`,
    mlpNorm: gpt2 ? `${block}.ln_2` : `${block}.post_attention_layernorm`,
    mlp: `${block}.mlp`,
  };
}

export function embeddingName(model: ResolvedModel): string {
  return isGpt2(model) ? 'transformer.wte.weight' : 'model.embed_tokens.weight';
}

export function finalNormName(model: ResolvedModel): string {
  return isGpt2(model) ? 'transformer.ln_f' : 'model.norm';
}

/** The head's matrix [vocab_size, n_embd]: the token embedding if they are tied. */
export function headName(model: ResolvedModel): string {
  return model.tie_word_embeddings ? embeddingName(model) : 'lm_head.weight';
}
