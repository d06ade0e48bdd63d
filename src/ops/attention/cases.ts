/** Inputs of the cases of the attention operations. */
import type { CaseRandom, HostTensor, Hosts } from '../define.ts';
import { columns } from '../heads/layout.ts';
import type { AttentionAttrs } from './attrs.ts';
import { attentionOracle, type OracleOptions } from './oracle.ts';

/** Draws a packed qkv. */
export const randomQkv = (random: CaseRandom, attrs: AttentionAttrs): HostTensor =>
  random.normal([attrs.B * attrs.T, columns(attrs).width]);

/**
 * Draws the inputs of a gradient. y and lse are computed from qkv, because the kernel recomputes
 * the softmax weights from lse.
 */
export function randomGradInputs(
  random: CaseRandom,
  attrs: AttentionAttrs,
  options: OracleOptions = {},
): Hosts<'qkv' | 'y' | 'lse' | 'dy'> {
  const qkv = randomQkv(random, attrs);
  const { y, lse } = attentionOracle(qkv, attrs, options);
  return { qkv, y, lse, dy: random.normal([attrs.B * attrs.T, columns(attrs).q]) };
}

/** Rows of activations can be stored as float16 if they are read four values at a time. */
export const float16When = (_inputs: unknown, { head_dim }: AttentionAttrs): boolean =>
  head_dim % 4 === 0;
