/**
 * The parameters that a rank of the lab holds of one model, tensor by tensor, as far as collectives
 * treat them differently. Unlike `rank_parameters.ts`, which plans the fullest rank, this gives every
 * rank what it holds: parts of the vocabulary may differ by one token, and biases after a row-parallel
 * matmul are on the first rank of tensor parallelism alone.
 */
import type { MeshPlace } from '../../../common/mesh.ts';
import type { ResolvedModel } from '../../../config/index.ts';
import type { LoraShape } from '../../adapted_block.ts';
import type { Mesh } from '../mesh.ts';
import { stageShare } from '../rank_parameters.ts';

export type TensorRole =
  | 'token_embedding'
  | 'position_embedding'
  /** An untied language head, or the copy of a tied one on the last stage of a pipeline. */
  | 'language_head'
  | 'scalar_head'
  | 'final_norm'
  | 'norm'
  | 'qk_norm'
  | 'weight'
  | 'bias'
  | 'lora_A'
  | 'lora_B';

export type Branch = 'attention' | 'mlp';

export interface RankTensor {
  role: TensorRole;
  /** The branch of a block that it belongs to; null outside the blocks. */
  branch: Branch | null;
  /** Whether it belongs to the first block of the model. */
  in_first_block: boolean;
  /** Whether it belongs to the last linear layer of a branch, whose input is not a norm's output. */
  row_parallel: boolean;
  /** Values on this rank; 0 where only another rank of tensor parallelism holds it. */
  values: number;
  /** Values of the whole parameter. */
  whole: number;
  /** Whether each rank of tensor parallelism computes a part of the gradient of all values. */
  partial_gradient: boolean;
}

/** A model of a run: the policy with the language head, or one that scores with a scalar head. */
export type Head = 'language' | 'scalar' | 'both';

export interface ModelShape {
  model: ResolvedModel;
  mesh: Mesh;
  place: MeshPlace;
  /** `both`: a reward model keeps the language head that it came with. */
  head: Head;
  adapters?: LoraShape | undefined;
}

/** All parameters of the model on the rank at `place`. */
export function rankTensors(shape: ModelShape): RankTensor[] {
  const { layers } = stageShare(shape.model, shape.mesh, shape.place.pp);
  const blocks = Array.from({ length: layers }, (_, block) => {
    const in_first_block = shape.place.pp === 0 && block === 0;
    return blockTensors(shape).map((tensor) => ({ ...tensor, in_first_block }));
  });
  return [...embeddings(shape), ...blocks.flat(), ...headTensors(shape)];
}

const outside = (role: TensorRole, values: number, whole = values): RankTensor => ({
  ...{ role, values, whole },
  branch: null,
  in_first_block: false,
  row_parallel: false,
  partial_gradient: false,
});

function embeddings({ model, mesh, place }: ModelShape): RankTensor[] {
  if (place.pp > 0) return [];
  const { n_embd, block_size, layout } = model;
  const positions = outside('position_embedding', block_size * n_embd);
  const table = tableOf('token_embedding', { model, mesh, place });
  return layout === 'gpt2' ? [table, positions] : [table];
}

/** The rank's rows of the embedding or of the head. */
function tableOf(
  role: TensorRole,
  { model, mesh: { tp }, place }: Pick<ModelShape, 'model' | 'mesh' | 'place'>,
): RankTensor {
  const { vocab_size, n_embd } = model;
  const cut = (index: number): number => Math.floor((index * vocab_size) / tp);
  const rows = cut(place.tp + 1) - cut(place.tp);
  return outside(role, rows * n_embd, vocab_size * n_embd);
}

function headTensors(shape: ModelShape): RankTensor[] {
  const { model, mesh, place, head } = shape;
  const { n_embd, bias, layout, tie_word_embeddings: tied } = model;
  if (place.pp !== mesh.pp - 1) return [];
  const tensors = [outside('final_norm', n_embd)];
  if (layout === 'gpt2' && bias) tensors.push(outside('bias', n_embd));
  if (head !== 'language') tensors.push(outside('scalar_head', n_embd));
  const isHere = !tied || mesh.pp > 1;
  if (head !== 'scalar' && isHere) tensors.push(tableOf('language_head', shape));
  return tensors;
}

type BlockTensor = Omit<RankTensor, 'in_first_block'>;

function blockTensors(shape: ModelShape): BlockTensor[] {
  const { model } = shape;
  const norms = (['attention', 'mlp'] as const).flatMap((branch) => normTensors(model, branch));
  return [...norms, ...linearLayers(shape).flatMap((layer) => layerTensors(shape, layer))];
}

function normTensors(model: ResolvedModel, branch: Branch): BlockTensor[] {
  const { n_embd, head_dim, layout, bias, qk_norm } = model;
  const of = (role: TensorRole, values: number, partial_gradient = false): BlockTensor => {
    return { role, branch, row_parallel: false, values, whole: values, partial_gradient };
  };
  const norm = of('norm', n_embd);
  if (layout === 'gpt2') return bias ? [norm, of('bias', n_embd)] : [norm];
  if (!qk_norm || branch !== 'attention') return [norm];
  const ofHeads = of('qk_norm', head_dim, true);
  return [norm, ofHeads, ofHeads];
}

/** A linear layer of a block, whole. */
interface LinearLayer {
  branch: Branch;
  /** Whether tensor parallelism splits it by rows; otherwise by columns. */
  row_parallel: boolean;
  inputs: number;
  outputs: number;
  has_bias: boolean;
  /** Layers that are packed side by side; each has a `lora_A` of its own. */
  packed: number;
}

function linearLayers({ model }: ModelShape): LinearLayer[] {
  const { n_embd: d, n_inner, n_head, n_kv_head, head_dim, layout, bias, qkv_bias } = model;
  const isGpt2 = layout === 'gpt2';
  const q = n_head * head_dim;
  const qkv = q + 2 * n_kv_head * head_dim;
  const gated = isGpt2 ? 1 : 2;
  const has_bias = isGpt2 && bias;
  const column = { row_parallel: false, inputs: d };
  const row = { row_parallel: true, outputs: d, has_bias, packed: 1 };
  const ofHeads = { has_bias: has_bias || (!isGpt2 && qkv_bias), packed: isGpt2 ? 1 : 3 };
  return [
    { ...column, ...ofHeads, branch: 'attention', outputs: qkv },
    { ...row, branch: 'attention', inputs: q },
    { ...column, branch: 'mlp', outputs: gated * n_inner, has_bias, packed: gated },
    { ...row, branch: 'mlp', inputs: n_inner },
  ];
}

function layerTensors({ mesh: { tp }, place, adapters }: ModelShape, layer: LinearLayer) {
  const { branch, row_parallel, inputs, outputs, packed } = layer;
  const of = (role: TensorRole, whole: number, split: boolean): BlockTensor => {
    const partial_gradient = !split && (role === 'lora_A' || role === 'lora_B');
    const values = split ? whole / tp : whole;
    return { role, branch, row_parallel, values, whole, partial_gradient };
  };
  const tensors = [of('weight', inputs * outputs, true)];
  if (layer.has_bias) {
    const bias = of('bias', outputs, !row_parallel);
    tensors.push(row_parallel && place.tp > 0 ? { ...bias, values: 0 } : bias);
  }
  if (!adapters || !isTarget(adapters, branch)) return tensors;
  const { r } = adapters;
  tensors.push(of('lora_A', packed * inputs * r, row_parallel));
  tensors.push(of('lora_B', r * outputs, !row_parallel));
  return tensors;
}

/** Whether the layers of a branch have adapters. */
export const isTarget = ({ target_modules }: LoraShape, branch: Branch): boolean =>
  target_modules === 'all-linear' || target_modules === branch;

export const isAdapter = ({ role }: Pick<RankTensor, 'role'>): boolean =>
  role === 'lora_A' || role === 'lora_B';

export const sumOfValues = (tensors: readonly RankTensor[]): number =>
  tensors.reduce((sum, { values }) => sum + values, 0);
