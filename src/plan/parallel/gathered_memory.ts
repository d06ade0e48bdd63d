/**
 * Memory of gathered weights and whole gradients under ZeRO-2 and ZeRO-3 on this page. They exist only
 * briefly: each parameter is gathered where it is used, and each gradient is sent once it is complete.
 */
import type { ResolvedModel } from '../../config/index.ts';
import type { Mesh } from './mesh.ts';
import type { RankParameter } from './rank_parameters.ts';

export interface GatheringRank {
  model: ResolvedModel;
  mesh: Mesh;
  recomputes: boolean;
  /** Tokens of a micro-batch on this rank. */
  tokens: number;
  /** Bytes of the logits, which under ZeRO-3 exist while the head's weights are gathered. */
  logits: number;
}

const FLOAT = 4;

/** Bytes of whole gradients and, under ZeRO-3, of gathered weights; `zero_stage` is 2 or 3. */
export function gatheredBytes(parameters: readonly RankParameter[], rank: GatheringRank): number {
  const { model, mesh } = rank;
  const tables = parameters.filter(({ kind }) => kind === 'embedding' || kind === 'head');
  const table = Math.max(0, ...tables.map(({ values }) => values));
  // The gradient of a tied embedding from the head is kept until that from the embedding is added.
  const tied = model.tie_word_embeddings ? table : 0;
  // A table never exists beside the largest matrix, so the larger of the two counts.
  const valuesOf = ([largest = 0, ...others]: readonly number[]): number =>
    Math.max(largest, table) + others.reduce((a, b) => a + b, 0);
  const { gradients, step } = matricesAtATime(rank);
  if (mesh.zero_stage === 2) return FLOAT * (valuesOf(gradients) + tied);
  return FLOAT * (valuesOf(step) + tied);
}

/**
 * As `gatheredBytes` if only adapters (`trained`) train: beside the gathered weights, which are frozen,
 * only gradients of adapters exist.
 */
export function gatheredWithAdapters(
  parameters: readonly RankParameter[],
  trained: readonly RankParameter[],
  rank: GatheringRank,
): number {
  const { model, mesh } = rank;
  const largestOf = (list: readonly RankParameter[]): number =>
    Math.max(0, ...list.map(({ values }) => values));
  const gradient = largestOf(trained);
  if (mesh.zero_stage === 2) return FLOAT * gradient;
  const matrix = (model.n_embd * model.n_inner) / mesh.tp;
  const again = model.layout === 'gpt2' ? gatheredAgain(rank, matrix) : 0;
  return FLOAT * (largestOf(parameters) + gradient + again);
}

/** Values of the matrices that exist at once, the largest first. */
interface MatricesAtATime {
  gradients: readonly number[];
  /** Weights and gradients of a step; the evaluation gathers into the same memory. */
  step: readonly number[];
}

/** The matrices of the feed-forward block, which are the largest of a block. */
function matricesAtATime(rank: GatheringRank): MatricesAtATime {
  const { model, mesh } = rank;
  const { tp } = mesh;
  const matrix = (model.n_embd * model.n_inner) / tp;
  const pair = [matrix, matrix];
  if (model.layout !== 'gpt2') {
    // Gate and up are one matrix, which is gathered while the gradient after it is being sent.
    const packed = 2 * matrix;
    return { gradients: [packed], step: [packed, matrix] };
  }
  if (tp > 1) return { gradients: [matrix], step: pair };
  // A single operation reads both matrices.
  return { gradients: pair, step: [...pair, gatheredAgain(rank, matrix)] };
}

/**
 * Values of weights that a recomputed feed-forward block adds: its last matrix still exists while the
 * weights for its gradient are gathered. Part of it reuses the memory of the logits. If dropout follows,
 * it adds no more than one activation [tokens, n_inner].
 */
function gatheredAgain(rank: GatheringRank, matrix: number): number {
  const { model, recomputes, logits, tokens } = rank;
  if (!recomputes) return 0;
  const again = Math.max(0, matrix - logits / FLOAT);
  return model.dropout > 0 ? Math.min(again, tokens * model.n_inner) : again;
}
