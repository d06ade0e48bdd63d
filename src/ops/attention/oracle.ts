/** Causal attention and its gradient in plain float64 loops, one query row at a time. */
import type { HostTensor, Hosts } from '../define.ts';
import { columns, groupSize } from '../heads/layout.ts';
import { at, zeros } from '../host.ts';
import type { AttentionAttrs } from './attrs.ts';

/** Weight that attention dropout gives to (sequence, head, query, key): 0 or 1/(1-p). */
export type Keep = (b: number, h: number, i: number, j: number) => number;
export const keepAll: Keep = () => 1;

interface Row {
  q: number;
  k: (j: number) => number;
  v: (j: number) => number;
  y: number;
  first: number;
}

/**
 * Visits every query row: where its q, its keys and values and its output start, and the first key
 * that it sees.
 */
function eachRow(
  a: AttentionAttrs,
  visit: (row: Row, b: number, h: number, i: number) => void,
): void {
  const { width, k0, v0, q } = columns(a);
  const d = a.head_dim;
  const group = groupSize(a);
  for (let b = 0; b < a.B; b++)
    for (let h = 0; h < a.n_head; h++)
      for (let i = 0; i < a.T; i++) {
        const kv = Math.floor(h / group);
        const r = b * a.T + i;
        visit(
          {
            q: r * width + h * d,
            k: (j) => (b * a.T + j) * width + k0 + kv * d,
            v: (j) => (b * a.T + j) * width + v0 + kv * d,
            y: r * q + h * d,
            first: a.window > 0 ? Math.max(0, i - a.window + 1) : 0,
          },
          b,
          h,
          i,
        );
      }
}

/** Softmax weights of one row, from its first key to itself, and the log of their sum. */
function weights(qkv: HostTensor, row: Row, i: number, d: number): { p: number[]; lse: number } {
  const scores: number[] = [];
  for (let j = row.first; j <= i; j++) {
    let s = 0;
    for (let c = 0; c < d; c++) s += at(qkv, row.q + c) * at(qkv, row.k(j) + c);
    scores.push(s / Math.sqrt(d));
  }
  const top = Math.max(...scores);
  const total = scores.reduce((sum, s) => sum + Math.exp(s - top), 0);
  const lse = top + Math.log(total);
  return { p: scores.map((s) => Math.exp(s - lse)), lse };
}

export function attentionOracle(
  qkv: HostTensor,
  a: AttentionAttrs,
  keep: Keep,
): Hosts<'y' | 'lse'> {
  const d = a.head_dim;
  const y = zeros([a.B * a.T, a.n_head * d]);
  const lse = zeros([a.B, a.n_head, a.T]);
  eachRow(a, (row, b, h, i) => {
    const w = weights(qkv, row, i, d);
    lse.data[(b * a.n_head + h) * a.T + i] = w.lse;
    w.p.forEach((p, n) => {
      const j = row.first + n;
      const weight = p * keep(b, h, i, j);
      for (let c = 0; c < d; c++)
        y.data[row.y + c] = at(y, row.y + c) + weight * at(qkv, row.v(j) + c);
    });
  });
  return { y, lse };
}

/** dS = P (dP - delta), delta = dy . y, dP = keep (dy V^T). */
export function attentionGradOracle(
  { qkv, y, dy }: Hosts<'qkv' | 'y' | 'dy'>,
  a: AttentionAttrs,
  keep: Keep,
): Hosts<'dqkv'> {
  const d = a.head_dim;
  const dqkv = zeros(qkv.shape);
  const plus = (i: number, v: number) => {
    dqkv.data[i] = at(dqkv, i) + v;
  };
  eachRow(a, (row, b, h, i) => {
    const { p } = weights(qkv, row, i, d);
    let delta = 0;
    for (let c = 0; c < d; c++) delta += at(dy, row.y + c) * at(y, row.y + c);
    p.forEach((weight, n) => {
      const j = row.first + n;
      const kept = keep(b, h, i, j);
      const k = row.k(j);
      const v = row.v(j);
      let dp = 0;
      for (let c = 0; c < d; c++) dp += at(dy, row.y + c) * at(qkv, v + c) * kept;
      const ds = (weight * (dp - delta)) / Math.sqrt(d);
      for (let c = 0; c < d; c++) {
        plus(v + c, weight * kept * at(dy, row.y + c));
        plus(row.q + c, ds * at(qkv, k + c));
        plus(k + c, ds * at(qkv, row.q + c));
      }
    });
  });
  return { dqkv };
}
