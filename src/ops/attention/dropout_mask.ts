/**
 * The mask of attention dropout, for oracles and references. The draw of a weight is a function of
 * rng (int32 [4]: seed, step, number of the first sequence, 0; see `dropout`), the site, the global
 * row of (sequence, head, query) and the key. Heads are those of the whole model.
 */
import { tensor, type Tensor } from '@tensorflow/tfjs-core';
import type { HostTensor } from '../define.ts';
import { dropoutMask } from '../dropout/mask.ts';
import type { AttentionDropoutAttrs } from './attrs.ts';
import type { Keep } from './oracle.ts';

function maskOf(
  rng: ArrayLike<number>,
  { B, T, n_head, site, rate, heads = { first: 0, count: n_head } }: AttentionDropoutAttrs,
): Float32Array {
  const [seed = 0, step = 0, offset = 0] = Array.from(rng);
  const mask = new Float32Array(B * n_head * T * T);
  for (let b = 0; b < B; b++) {
    const first_row = ((offset + b) * heads.count + heads.first) * T;
    const draws = { seed, step, site, rate, first_row, rows: n_head * T, columns: T };
    mask.set(dropoutMask(draws), b * n_head * T * T);
  }
  return mask;
}

/** The factor of each weight, for the oracles. */
export function hostKeep(rng: HostTensor, attrs: AttentionDropoutAttrs): Keep {
  const { T, n_head, rate } = attrs;
  const mask = maskOf(rng.data, attrs);
  const scale = 1 / (1 - rate);
  return (b, h, i, j) => (mask[((b * n_head + h) * T + i) * T + j] === 0 ? 0 : scale);
}

/**
 * The factors [B n_head, T, T], for the references. Reads rng synchronously: where references run,
 * rng was created in JavaScript.
 */
export const keepTensor = (rng: Tensor, attrs: AttentionDropoutAttrs): Tensor =>
  tensor(maskOf(rng.dataSync(), attrs), [attrs.B * attrs.n_head, attrs.T, attrs.T]);
