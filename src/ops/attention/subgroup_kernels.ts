/** Dispatching attention by subgroup matrices, whose tensors are stored as halves. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import type { AttentionAttrs } from './attrs.ts';
import {
  backwardShape,
  forwardShape,
  forwardSubgroupCode,
  keySubgroupCode,
  querySubgroupCode,
  rowsOfShape,
  type SubgroupShape,
} from './subgroup.ts';
import { params } from './tiles.ts';

/**
 * What tests and measurements change: the shape of a workgroup's work, and the source before it is
 * compiled.
 */
export interface SubgroupOptions {
  shape?: SubgroupShape;
  emulate?: (code: string) => string;
}
const asWritten = (code: string): string => code;

/** y [B T, n_head head_dim] in halves, lse [B, n_head, T]. */
export function attentionSubgroupKernel(
  qkv: Tensor,
  a: AttentionAttrs,
  { shape = forwardShape(a.head_dim), emulate = asWritten }: SubgroupOptions = {},
): Tensors<'y' | 'lse'> {
  const y = activation([a.B * a.T, columns(a).q]);
  const lse = output([a.B, a.n_head, a.T]);
  dispatch({
    name: 'attention subgroups',
    code: emulate(forwardSubgroupCode(a.head_dim, shape)),
    writes: [y, lse],
    reads: [qkv],
    params: params(a),
    workgroups: [Math.ceil(a.T / rowsOfShape(shape)), a.n_head, a.B],
  });
  return { y, lse };
}

/** dqkv as qkv, in halves. */
export function attentionGradSubgroupKernel(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  a: AttentionAttrs,
  { shape = backwardShape(a.head_dim), emulate = asWritten }: SubgroupOptions = {},
): Tensors<'dqkv'> {
  const dqkv = activation(qkv.shape);
  const delta = output([a.B, a.n_head, a.T]);
  const tiles = Math.ceil(a.T / rowsOfShape(shape));
  dispatch({
    name: 'attention_grad_q subgroups',
    code: emulate(querySubgroupCode(a.head_dim, shape)),
    writes: [dqkv, delta],
    reads: [qkv, y, lse, dy],
    params: params(a),
    workgroups: [tiles, a.n_head, a.B],
  });
  dispatch({
    name: 'attention_grad_kv subgroups',
    code: emulate(keySubgroupCode(a.head_dim, shape)),
    writes: [],
    updates: [dqkv],
    reads: [qkv, lse, dy, delta],
    params: params(a),
    workgroups: [tiles, a.n_kv_head, a.B],
  });
  delta.dispose();
  return { dqkv };
}
