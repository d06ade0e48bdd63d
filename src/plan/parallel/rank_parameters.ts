/** The parameters that a rank holds under tensor and pipeline parallelism, before ZeRO shards them. */
import type { ResolvedModel } from '../../config/index.ts';
import type { PlannedParameter } from '../memory.ts';
import { chunksOf, type Mesh } from './mesh.ts';

/** Parameters that FSDP gathers and frees together under ZeRO-3. */
export type Unit = 'embedding' | 'block' | 'head';

export interface RankParameter {
  kind: PlannedParameter['kind'];
  /** Values on this rank. */
  values: number;
  unit: Unit;
  /** How many such tensors the rank holds: of a block's parameters, one for each of its blocks. */
  copies: number;
}

/** The part of the model on a rank of the pipeline. */
export interface StageShare {
  /** Blocks on this rank, in all chunks. */
  layers: number;
  has_embedding: boolean;
  /** The final norm and the head. */
  has_head: boolean;
}

/** The stage of rank `pp_rank` of the pipeline. The first holds the embedding, the last the head. */
export const stageShare = (
  { n_layer }: ResolvedModel,
  { pp }: Mesh,
  pp_rank: number,
): StageShare => ({
  layers: n_layer / pp,
  has_embedding: pp_rank === 0,
  has_head: pp_rank === pp - 1,
});

/** One pipeline rank of each kind: the first, one in the middle if any, and the last. */
export const distinctRanks = ({ pp }: Pick<Mesh, 'pp'>): number[] => [
  ...new Set([0, Math.min(1, pp - 1), pp - 1]),
];

/** Blocks in one chunk of a rank. */
export const layersOfChunk = ({ n_layer }: ResolvedModel, mesh: Mesh): number =>
  n_layer / (mesh.pp * chunksOf(mesh));

/** Tokens of the vocabulary on the rank of tensor parallelism that has the most. */
export const vocabularyPart = ({ vocab_size }: ResolvedModel, { tp }: Pick<Mesh, 'tp'>): number =>
  Math.ceil(vocab_size / tp);

/**
 * Parameters of a rank. Column-parallel matrices with their biases, row-parallel matrices, the embedding
 * and the head are split by `tp`. Norms, positions and biases after a row-parallel matmul are whole on
 * every rank (Shoeybi et al. 2019). A tied head on another rank than the embedding is a copy of it.
 */
export function rankParameters(model: ResolvedModel, mesh: Mesh, pp_rank: number): RankParameter[] {
  const share = stageShare(model, mesh, pp_rank);
  const list = blockParameters(model, mesh.tp, share.layers);
  const { n_embd: d, block_size } = model;
  const table = vocabularyPart(model, mesh) * d;
  const isGpt2 = model.layout === 'gpt2';
  if (share.has_embedding) {
    list.push({ kind: 'embedding', values: table, unit: 'embedding', copies: 1 });
    if (isGpt2)
      list.push({ kind: 'embedding', values: block_size * d, unit: 'embedding', copies: 1 });
  }
  if (!share.has_head) return list;
  const tied = model.tie_word_embeddings;
  if (tied && !share.has_embedding)
    list.push({ kind: 'embedding', values: table, unit: 'head', copies: 1 });
  if (!tied) list.push({ kind: 'head', values: table, unit: 'head', copies: 1 });
  list.push({ kind: 'norm', values: d, unit: 'head', copies: 1 });
  if (isGpt2 && model.bias) list.push({ kind: 'bias', values: d, unit: 'head', copies: 1 });
  return list;
}

function blockParameters(model: ResolvedModel, tp: number, copies: number): RankParameter[] {
  const { n_embd: d, n_inner: f, n_head, n_kv_head, head_dim } = model;
  const q = (n_head * head_dim) / tp;
  const qkv = q + (2 * n_kv_head * head_dim) / tp;
  const inner = f / tp;
  const isGpt2 = model.layout === 'gpt2';
  const inBlock = (kind: RankParameter['kind'], sizes: readonly number[]): RankParameter[] =>
    sizes.map((values) => ({ kind, values, unit: 'block', copies }));
  const firstOfFeedForward = d * inner * (isGpt2 ? 1 : 2);
  const list = [
    ...inBlock('matrix', [d * qkv, q * d, firstOfFeedForward, inner * d]),
    ...inBlock('norm', [d, d]),
  ];
  if (isGpt2) return model.bias ? [...list, ...inBlock('bias', [qkv, d, inner, d, d, d])] : list;
  if (model.qkv_bias) list.push(...inBlock('bias', [qkv]));
  if (model.qk_norm) list.push(...inBlock('norm', [head_dim, head_dim]));
  return list;
}

/** Values of all parameters of a rank. */
export const countRankParameters = (parameters: readonly RankParameter[]): number =>
  parameters.reduce((sum, { values, copies }) => sum + values * copies, 0);

/** Values of each unit: one block, the embedding, the head with the final norm. */
export function unitValues(parameters: readonly RankParameter[]): Record<Unit, number> {
  const values = { embedding: 0, block: 0, head: 0 };
  for (const parameter of parameters) values[parameter.unit] += parameter.values;
  return values;
}
