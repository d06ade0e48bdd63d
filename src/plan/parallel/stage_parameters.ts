/** The parameters that a rank holds of a stage after pretraining, before ZeRO shards them. */
import type { ResolvedModel } from '../../config/index.ts';
import type { LoraShape } from '../adapted_block.ts';
import type { Mesh } from './mesh.ts';
import { type RankParameter, rankParameters, stageShare } from './rank_parameters.ts';

/**
 * `lora_A` and `lora_B` of the adapted layers of a rank. Tensor parallelism splits the one on the side
 * on which the layer is split; the other one is whole on every rank.
 */
export function adaptersOfRank(
  model: ResolvedModel,
  { r, target_modules }: LoraShape,
  { mesh, pp_rank }: { mesh: Mesh; pp_rank: number },
): RankParameter[] {
  const { n_embd: d, n_inner, n_head, n_kv_head, head_dim, layout } = model;
  const { layers } = stageShare(model, mesh, pp_rank);
  const q = (n_head * head_dim) / mesh.tp;
  const qkv = q + (2 * n_kv_head * head_dim) / mesh.tp;
  const inner = n_inner / mesh.tp;
  // Parts that are packed side by side have a lora_A each.
  const isPacked = layout !== 'gpt2';
  const packed = isPacked ? 3 : 1;
  const gated = isPacked ? 2 : 1;
  const attention = [d * packed * r, r * qkv, q * r, r * d];
  const mlp = [d * gated * r, r * gated * inner, inner * r, r * d];
  const sizes = [
    ...(target_modules === 'mlp' ? [] : attention),
    ...(target_modules === 'attention' ? [] : mlp),
  ];
  return sizes.map((values) => ({ kind: 'matrix', values, unit: 'block', copies: layers }));
}

/** PPO's value or reward model: the model without an untied language head, and a scalar head. */
export function scoringParametersOfRank(
  model: ResolvedModel,
  { mesh, pp_rank }: { mesh: Mesh; pp_rank: number },
): RankParameter[] {
  const isLanguageHead = ({ kind, unit }: RankParameter): boolean =>
    kind === 'head' || (kind === 'embedding' && unit === 'head');
  const body = rankParameters(model, mesh, pp_rank).filter((one) => !isLanguageHead(one));
  return pp_rank === mesh.pp - 1 ? [...body, scalarHead(model)] : body;
}

/** The head of a model that scores. */
export const scalarHead = ({ n_embd }: ResolvedModel): RankParameter => ({
  kind: 'head',
  values: n_embd,
  unit: 'head',
  copies: 1,
});
