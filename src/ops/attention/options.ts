/** Optional inputs of the attention kernels, and what follows from them for a dispatch. */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Param } from '../../backend/index.ts';
import { dropThreshold } from '../dropout/mask.ts';
import type { AttentionAttrs, Dropout } from './attrs.ts';

export interface AttentionOptions {
  /** Dropout of the softmax weights; rng is int32 [4], as in `dropout`. */
  drop?: (Dropout & { rng: Tensor }) | undefined;
  /** int32 [B T], as in `attention_documents`. */
  document_starts?: Tensor | undefined;
}

/** Values of the uniforms, in the order of `Params`. */
export function params(attrs: AttentionAttrs, drop?: Dropout): Param[] {
  const always: Param[] = [
    ['u32', attrs.T],
    ['u32', attrs.n_head],
    ['u32', attrs.n_kv_head],
    ['u32', attrs.window],
    ['f32', 1 / Math.sqrt(attrs.head_dim)],
  ];
  if (!drop) return always;
  return [
    ...always,
    ['u32', drop.site],
    ['u32', dropThreshold(drop.rate)],
    ['f32', 1 / (1 - drop.rate)],
    ['u32', drop.heads?.count ?? attrs.n_head],
    ['u32', drop.heads?.first ?? 0],
  ];
}

/** Buffers that the options add to a kernel's reads, in the order of `declarations`. */
export function optionalReads({ drop, document_starts }: AttentionOptions): Tensor[] {
  const reads: Tensor[] = [];
  if (drop) reads.push(drop.rng);
  if (document_starts) reads.push(document_starts);
  return reads;
}

/** The operation's name, which dispatches carry in profiles. */
export const nameOf = ({ drop, document_starts }: AttentionOptions): string =>
  `attention${document_starts ? '_documents' : ''}${drop ? '_dropout' : ''}`;
