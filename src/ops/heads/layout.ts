/**
 * Layout of the packed attention input that rope, qk_norm, attention, attention_decode and cache_write
 * share: qkv [N, (n_head + 2 n_kv_head) head_dim], with the columns q heads | k heads | v heads. Query
 * head h reads key/value head floor(h / (n_head / n_kv_head)) (grouped-query attention, Ainslie et al.
 * 2023; GPT-2 has n_kv_head = n_head).
 */
export interface Heads {
  n_head: number;
  n_kv_head: number;
  head_dim: number;
}

/** Columns of qkv. */
export interface Columns {
  /** Columns of q, and of k and v each. */
  q: number;
  kv: number;
  /** All columns. */
  width: number;
  /** First column of k and of v. */
  k0: number;
  v0: number;
}

export function columns({ n_head, n_kv_head, head_dim }: Heads): Columns {
  const q = n_head * head_dim;
  const kv = n_kv_head * head_dim;
  return { q, kv, width: q + 2 * kv, k0: q, v0: q + kv };
}

/** Query heads that share one key/value head. */
export const groupSize = ({ n_head, n_kv_head }: Heads): number => n_head / n_kv_head;
