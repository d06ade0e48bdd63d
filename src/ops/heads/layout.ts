/**
 * The packed attention input that rope, qk_norm, attention, attention_decode and cache_write share:
 * qkv [N, (n_head + 2 n_kv_head) head_dim], columns q heads | k heads | v heads. Query head h reads
 * key/value head floor(h / (n_head / n_kv_head)) (grouped-query attention, Ainslie et al. 2023;
 * GPT-2 has n_kv_head = n_head).
 */
export interface Heads {
  n_head: number;
  n_kv_head: number;
  head_dim: number;
}

/** Columns of qkv and where its parts start. */
export function columns(a: Heads): {
  q: number;
  kv: number;
  width: number;
  k0: number;
  v0: number;
} {
  const q = a.n_head * a.head_dim;
  const kv = a.n_kv_head * a.head_dim;
  return { q, kv, width: q + 2 * kv, k0: q, v0: q + kv };
}

/** Query heads that share one key/value head. */
export const groupSize = (a: Heads): number => a.n_head / a.n_kv_head;
