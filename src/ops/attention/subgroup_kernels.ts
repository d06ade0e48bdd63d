/** Dispatches attention by subgroup matrices, whose activations are stored as float16. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { activation, dispatch, output } from '../../backend/index.ts';
import type { Tensors } from '../define.ts';
import { columns } from '../heads/layout.ts';
import { remembered } from '../wgsl/index.ts';
import type { AttentionAttrs } from './attrs.ts';
import { nameOf, optionalReads, params } from './options.ts';
import { keySubgroupCode } from './subgroup_backward_key.ts';
import { querySubgroupCode } from './subgroup_backward_query.ts';
import { forwardSubgroupCode } from './subgroup_forward.ts';
import {
  backwardShape,
  forwardShape,
  rowsOfShape,
  type SubgroupShape,
  type SubgroupVariant,
} from './subgroup_fragments.ts';

export interface SubgroupOptions {
  /** int32 [B T], as in `attention_documents`. */
  document_starts?: Tensor | undefined;
  /** The workgroup's tile; tests and benchmarks choose it. */
  shape?: SubgroupShape | undefined;
  /** Rewrites the source before it is compiled; tests emulate subgroup matrices with it. */
  emulate?: ((code: string) => string) | undefined;
}
const asWritten = (code: string): string => code;

const forwardSource = remembered(forwardSubgroupCode);
const querySource = remembered(querySubgroupCode);
const keySource = remembered(keySubgroupCode);

/** y [B T, n_head head_dim] in float16, lse [B, n_head, T]. */
export function attentionSubgroupKernel(
  qkv: Tensor,
  attrs: AttentionAttrs,
  options: SubgroupOptions = {},
): Tensors<'y' | 'lse'> {
  const { head_dim } = attrs;
  const { document_starts, shape = forwardShape(head_dim), emulate = asWritten } = options;
  const y = activation([attrs.B * attrs.T, columns(attrs).q]);
  const lse = output([attrs.B, attrs.n_head, attrs.T]);
  const variant: SubgroupVariant = { head_dim, shape, documents: document_starts !== undefined };
  dispatch({
    name: `${nameOf({ document_starts })} subgroups`,
    code: emulate(forwardSource(variant)),
    writes: [y, lse],
    reads: [qkv, ...optionalReads({ document_starts })],
    params: params(attrs),
    workgroups: [Math.ceil(attrs.T / rowsOfShape(shape)), attrs.n_head, attrs.B],
  });
  return { y, lse };
}

/** dqkv, laid out as qkv, in float16. */
export function attentionGradSubgroupKernel(
  { qkv, y, lse, dy }: Tensors<'qkv' | 'y' | 'lse' | 'dy'>,
  attrs: AttentionAttrs,
  options: SubgroupOptions = {},
): Tensors<'dqkv'> {
  const { head_dim } = attrs;
  const { document_starts, shape = backwardShape(head_dim), emulate = asWritten } = options;
  const dqkv = activation(qkv.shape);
  const delta = output([attrs.B, attrs.n_head, attrs.T]);
  const tiles = Math.ceil(attrs.T / rowsOfShape(shape));
  const variant: SubgroupVariant = { head_dim, shape, documents: document_starts !== undefined };
  const name = nameOf({ document_starts });
  const optional = optionalReads({ document_starts });
  dispatch({
    name: `${name}_grad_q subgroups`,
    code: emulate(querySource(variant)),
    writes: [dqkv, delta],
    reads: [qkv, y, lse, dy, ...optional],
    params: params(attrs),
    workgroups: [tiles, attrs.n_head, attrs.B],
  });
  dispatch({
    name: `${name}_grad_kv subgroups`,
    code: emulate(keySource(variant)),
    writes: [],
    updates: [dqkv],
    reads: [qkv, lse, dy, delta, ...optional],
    params: params(attrs),
    workgroups: [tiles, attrs.n_kv_head, attrs.B],
  });
  delta.dispose();
  return { dqkv };
}
