/** What a rank sends in one forward, or one forward and backward pass of a model. */
import type { MeshPlace } from '../../../common/mesh.ts';
import type { CollectiveKind } from '../../../common/ranks.ts';
import type { ResolvedModel } from '../../../config/index.ts';
import type { LoraShape } from '../../adapted_block.ts';
import { chunksOf, type Mesh } from '../mesh.ts';
import { isTarget, type RankTensor } from './rank_tensors.ts';

export interface StepTraffic {
  kind: CollectiveKind;
  /** What is sent, as the page says it. */
  what: string;
  /** Sent by this rank. Of uneven shares, the mean over the ranks that share. */
  bytes: number;
}

/** Ranks send float32 only, whatever the precision of the recipe. */
export const FLOAT = 4;

/** One micro-batch of a model on a rank. */
export interface Pass {
  model: ResolvedModel;
  mesh: Mesh;
  place: MeshPlace;
  tensors: readonly RankTensor[];
  /** The head that the pass ends with. */
  head: 'language' | 'scalar';
  /** Tokens of the rows of this rank. */
  tokens: number;
}

/** A pass that learns. */
export interface TrainingPass extends Pass {
  /** Adapters that train while all else is frozen; undefined if everything trains. */
  adapters: LoraShape | undefined;
  /** Whether blocks run again in the backward pass (`recompute_granularity` full). */
  recomputes_blocks: boolean;
  /** Whether the entropy of the next-token distributions is measured. */
  measures_entropy: boolean;
}

/** Bytes that each of `ranks` sends, in the mean, to gather values of which each has a share. */
export const gatheredBytes = (values: number, ranks: number): number =>
  (FLOAT * values * (ranks - 1)) / ranks;

/** Bytes that each of `ranks` sends, in the mean, to all-reduce values. */
export const reducedBytes = (values: number, ranks: number): number =>
  2 * gatheredBytes(values, ranks);

export function forwardTraffic(pass: Pass): StepTraffic[] {
  return [
    ...tensorTraffic(pass, layerReduces(pass) + (isFirst(pass) ? 1 : 0)),
    ...rowStates(pass),
    ...weightTraffic(pass, forwardGathers),
    ...stageTraffic(pass, 1),
  ];
}

/** Forward and backward. */
export function trainingTraffic(pass: TrainingPass): StepTraffic[] {
  const again = pass.recomputes_blocks ? layerReduces(pass) : 0;
  const norms = pass.tensors.filter((one) => one.role === 'norm' && needsInputGradient(one, pass));
  const ofHead = isLast(pass) && pass.head === 'language' ? 1 : 0;
  const gathers = (one: RankTensor): number =>
    forwardGathers(one, pass) + backwardGathers(one, pass);
  return [
    ...forwardTraffic(pass).filter(({ what }) => what !== WEIGHTS && what !== HIDDEN),
    ...tensorTraffic(pass, again + norms.length + ofHead),
    ...entropyTraffic(pass),
    ...weightTraffic(pass, gathers),
    ...stageTraffic(pass, 2),
  ];
}

const WEIGHTS = 'weights that ZeRO-3 gathers';
const HIDDEN = 'activations and their gradients between stages';

const isFirst = ({ place }: Pass): boolean => place.pp === 0;
const isLast = ({ mesh, place }: Pass): boolean => place.pp === mesh.pp - 1;

/** Row-parallel matmuls, each of which ends with an all-reduce: two a block. */
const layerReduces = ({ tensors }: Pass): number =>
  tensors.filter(({ role, row_parallel }) => role === 'weight' && row_parallel).length;

/** All-reduces of activations or of their gradients [tokens, n_embd] (Shoeybi et al. 2019). */
function tensorTraffic({ model, mesh, tokens }: Pass, reduces: number): StepTraffic[] {
  const values = reduces * tokens * model.n_embd;
  const what = 'activations and their gradients under tensor parallelism';
  return [{ kind: 'all_reduce', what, bytes: reducedBytes(values, mesh.tp) }];
}

/** Maximum, sum, likeliest token and the logit of the target, of each row of the logits. */
const ROW_STATE = 4;

/** Every rank sends its states of all rows to the others, for the parallel cross-entropy. */
function rowStates(pass: Pass): StepTraffic[] {
  const { mesh, tokens, head } = pass;
  if (head !== 'language' || !isLast(pass)) return [];
  const bytes = (mesh.tp - 1) * FLOAT * ROW_STATE * tokens;
  return [{ kind: 'all_gather', what: 'row states of the parallel cross-entropy', bytes }];
}

function entropyTraffic(pass: TrainingPass): StepTraffic[] {
  if (!pass.measures_entropy || !isLast(pass)) return [];
  const bytes = reducedBytes(pass.tokens, pass.mesh.tp);
  return [{ kind: 'all_reduce', what: 'entropy under tensor parallelism', bytes }];
}

function weightTraffic<P extends Pass>(
  pass: P,
  gathers: (tensor: RankTensor, pass: P) => number,
): StepTraffic[] {
  const { mesh, tensors } = pass;
  if (mesh.zero_stage !== 3) return [];
  const values = tensors.reduce((sum, one) => sum + gathers(one, pass) * one.values, 0);
  return [{ kind: 'all_gather', what: WEIGHTS, bytes: gatheredBytes(values, mesh.dp) }];
}

/** A tied embedding is gathered for the embedding, and again for the head. */
function forwardGathers({ role }: RankTensor, { model, head }: Pass): number {
  if (role === 'language_head') return head === 'language' ? 1 : 0;
  if (role === 'scalar_head') return head === 'scalar' ? 1 : 0;
  return role === 'token_embedding' && headIsTied(model, head) ? 2 : 1;
}

const headIsTied = ({ tie_word_embeddings }: ResolvedModel, head: Pass['head']): boolean =>
  tie_word_embeddings && head === 'language';

/** Weights whose values the gradients of their inputs need; those of biases and lookups do not. */
function backwardGathers(tensor: RankTensor, pass: TrainingPass): number {
  const again = pass.recomputes_blocks && tensor.branch ? 1 : 0;
  switch (tensor.role) {
    case 'bias':
    case 'position_embedding':
      return again;
    case 'token_embedding':
      return headIsTied(pass.model, pass.head) ? 1 : 0;
    case 'language_head':
    case 'scalar_head':
      return forwardGathers(tensor, pass);
    case 'lora_B':
    case 'final_norm':
      return again + 1;
    case 'norm':
    case 'qk_norm':
    case 'weight':
    case 'lora_A':
      return again + (needsInputGradient(tensor, pass) ? 1 : 0);
    default:
      return tensor.role satisfies never;
  }
}

/**
 * Whether the input of a layer of a block needs a gradient: in the first block of a model with
 * adapters, only where an adapter precedes it. A block that runs again computes that of its own input.
 */
function needsInputGradient(tensor: RankTensor, pass: TrainingPass): boolean {
  const { adapters, recomputes_blocks } = pass;
  if (!adapters || recomputes_blocks || !tensor.in_first_block) return true;
  const isAfterAttention = tensor.branch === 'mlp' || tensor.row_parallel;
  const adaptsAttention = isTarget(adapters, 'attention');
  if (tensor.branch === 'mlp' && tensor.row_parallel) return true;
  return adaptsAttention && (isAfterAttention || tensor.role === 'qk_norm');
}

/** To the next stage in the forward pass, and to the one before in the backward pass. */
function stageTraffic(pass: Pass, directions: 1 | 2): StepTraffic[] {
  const { model, mesh, tokens } = pass;
  if (mesh.pp === 1) return [];
  const chunks = chunksOf(mesh);
  const forward = chunks - (isLast(pass) ? 1 : 0);
  const backward = directions === 2 ? chunks - (isFirst(pass) ? 1 : 0) : 0;
  const bytes = (forward + backward) * FLOAT * tokens * model.n_embd;
  return [{ kind: 'send_recv', what: HIDDEN, bytes }];
}
