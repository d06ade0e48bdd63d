/** Causal attention and its gradient in plain float64 loops, one query row at a time. */
import type { HostTensor, Hosts } from '../define.ts';
import { columns, groupSize } from '../heads/layout.ts';
import { at, zeros } from '../host.ts';
import type { AttentionAttrs } from './attrs.ts';

/** Factor that dropout gives a weight of (sequence, head, query, key): 0 or 1/(1-p). */
export type Keep = (b: number, h: number, i: number, j: number) => number;

export interface OracleOptions {
  /** Dropout of the softmax weights; none by default. */
  keep?: Keep;
  /** int32 [B T], as in `attention_documents`; whole sequences by default. */
  document_starts?: HostTensor;
}

/** One query of one head: indices into qkv and y where its head_dim values start. */
interface Row {
  b: number;
  h: number;
  i: number;
  q: number;
  k: (j: number) => number;
  v: (j: number) => number;
  y: number;
  /** The first key that the query attends to. */
  first: number;
}

function eachRow(
  attrs: AttentionAttrs,
  document_starts: HostTensor | undefined,
  visit: (row: Row) => void,
): void {
  const { B, T, n_head, head_dim, window } = attrs;
  const { width, k0, v0, q } = columns(attrs);
  const group = groupSize(attrs);
  for (let b = 0; b < B; b++)
    for (let h = 0; h < n_head; h++)
      for (let i = 0; i < T; i++) {
        const row = b * T + i;
        const head = Math.floor(h / group) * head_dim;
        visit({
          b,
          h,
          i,
          q: row * width + h * head_dim,
          k: (j) => (b * T + j) * width + k0 + head,
          v: (j) => (b * T + j) * width + v0 + head,
          y: row * q + h * head_dim,
          first: Math.max(
            window > 0 ? i - window + 1 : 0,
            document_starts ? at(document_starts, row) : 0,
            0,
          ),
        });
      }
}

/** Softmax weights of one row, from its first key to itself, and the log of their sum. */
function weightsOf(
  qkv: HostTensor,
  row: Row,
  head_dim: number,
): { weights: number[]; lse: number } {
  const scores: number[] = [];
  for (let j = row.first; j <= row.i; j++) {
    let score = 0;
    for (let c = 0; c < head_dim; c++) score += at(qkv, row.q + c) * at(qkv, row.k(j) + c);
    scores.push(score / Math.sqrt(head_dim));
  }
  const top = Math.max(...scores);
  const total = scores.reduce((sum, score) => sum + Math.exp(score - top), 0);
  const lse = top + Math.log(total);
  return { weights: scores.map((score) => Math.exp(score - lse)), lse };
}

export function attentionOracle(
  qkv: HostTensor,
  attrs: AttentionAttrs,
  { keep = () => 1, document_starts }: OracleOptions = {},
): Hosts<'y' | 'lse'> {
  const { B, T, n_head, head_dim } = attrs;
  const y = zeros([B * T, n_head * head_dim]);
  const lse = zeros([B, n_head, T]);
  eachRow(attrs, document_starts, (row) => {
    const { b, h, i } = row;
    const { weights, lse: rowLse } = weightsOf(qkv, row, head_dim);
    lse.data[(b * n_head + h) * T + i] = rowLse;
    weights.forEach((p, n) => {
      const j = row.first + n;
      const weight = p * keep(b, h, i, j);
      for (let c = 0; c < head_dim; c++)
        y.data[row.y + c] = at(y, row.y + c) + weight * at(qkv, row.v(j) + c);
    });
  });
  return { y, lse };
}

/** dS = P (dP - delta), delta = dy . y, dP = keep (dy V^T). */
export function attentionGradOracle(
  { qkv, y, dy }: Hosts<'qkv' | 'y' | 'dy'>,
  attrs: AttentionAttrs,
  { keep = () => 1, document_starts }: OracleOptions = {},
): Hosts<'dqkv'> {
  const d = attrs.head_dim;
  const dqkv = zeros(qkv.shape);
  const add = (index: number, value: number): void => {
    dqkv.data[index] = at(dqkv, index) + value;
  };
  eachRow(attrs, document_starts, (row) => {
    let delta = 0;
    for (let c = 0; c < d; c++) delta += at(dy, row.y + c) * at(y, row.y + c);
    weightsOf(qkv, row, d).weights.forEach((weight, n) => {
      const j = row.first + n;
      const kept = keep(row.b, row.h, row.i, j);
      const k = row.k(j);
      const v = row.v(j);
      let dp = 0;
      for (let c = 0; c < d; c++) dp += at(dy, row.y + c) * at(qkv, v + c) * kept;
      const ds = (weight * (dp - delta)) / Math.sqrt(d);
      for (let c = 0; c < d; c++) {
        add(v + c, weight * kept * at(dy, row.y + c));
        add(row.q + c, ds * at(qkv, k + c));
        add(k + c, ds * at(qkv, row.q + c));
      }
    });
  });
  return { dqkv };
}
