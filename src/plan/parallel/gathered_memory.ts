/**
 * Weights and gradients that exist for a moment under ZeRO-2 and ZeRO-3 on this page, where each
 * parameter is gathered where it is used, and its gradient is sent as soon as it is complete.
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
  /** Bytes of logits, which wait for the head's weights under ZeRO-3. */
  logits: number;
}

const FLOAT = 4;

/** Bytes of whole gradients and, under ZeRO-3, of gathered weights; `zero_stage` is 2 or 3. */
export function gatheredBytes(parameters: readonly RankParameter[], rank: GatheringRank): number {
  const { model, mesh } = rank;
  const tables = parameters.filter(({ kind }) => kind === 'embedding' || kind === 'head');
  const table = Math.max(0, ...tables.map(({ values }) => values));
  // The head's part of a tied embedding waits for that of the embedding.
  const waiting = model.tie_word_embeddings ? table : 0;
  // A table takes the place of the largest matrix, which is smaller or larger.
  const valuesOf = ([largest = 0, ...others]: readonly number[]): number =>
    Math.max(largest, table) + others.reduce((a, b) => a + b, 0);
  const { gradients, step } = matricesAtATime(rank);
  if (mesh.zero_stage === 2) return FLOAT * (valuesOf(gradients) + waiting);
  return FLOAT * (valuesOf(step) + waiting);
}

/**
 * The same if only adapters (`trained`) train: their gradients alone exist for a moment, beside the
 * frozen weights that are gathered.
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

/** Values of each matrix that exists at a time, the largest first. */
interface MatricesAtATime {
  gradients: readonly number[];
  /** Weights and gradients of a step; the evaluation gathers into the same memory. */
  step: readonly number[];
}

/** Of the feed-forward block, whose matrices are the largest. */
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
  // One operation has both matrices.
  return { gradients: pair, step: [...pair, gatheredAgain(rank, matrix)] };
}

/**
 * Where the feed-forward block runs again, its last weights are still there when those of its gradient
 * are gathered, some of them in the place of the logits. If dropout follows, they take the place of an
 * activation at most.
 */
function gatheredAgain(rank: GatheringRank, matrix: number): number {
  const { model, recomputes, logits, tokens } = rank;
  if (!recomputes) return 0;
  const again = Math.max(0, matrix - logits / FLOAT);
  return model.dropout > 0 ? Math.min(again, tokens * model.n_inner) : again;
}
