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
  const { gradients, step, evaluation } = matricesAtATime(rank);
  if (mesh.zero_stage === 2) return FLOAT * (valuesOf(gradients) + waiting);
  return FLOAT * (valuesOf(step) + waiting + valuesOf(evaluation));
}

/** Values of each matrix that exists at a time, the largest first. */
interface MatricesAtATime {
  gradients: readonly number[];
  /** Weights and gradients of a step. */
  step: readonly number[];
  /** Weights that the evaluation gathers into memory of its own. */
  evaluation: readonly number[];
}

/** Of the feed-forward block, whose matrices are the largest. */
function matricesAtATime({ model, mesh, recomputes, logits }: GatheringRank): MatricesAtATime {
  const { tp } = mesh;
  const matrix = (model.n_embd * model.n_inner) / tp;
  const pair = [matrix, matrix];
  if (model.layout !== 'gpt2') {
    // Gate and up are one matrix, which is gathered while the gradient after it is being sent.
    const packed = 2 * matrix;
    return { gradients: [packed], step: [packed, matrix], evaluation: [packed] };
  }
  if (tp > 1) return { gradients: [matrix], step: pair, evaluation: [matrix] };
  // One operation has both matrices. Where it runs again, its last weights are still there when
  // those of its gradient are gathered, some of them in the place of the logits.
  const again = recomputes ? Math.max(0, matrix - logits / FLOAT) : 0;
  return { gradients: pair, step: [...pair, again], evaluation: pair };
}
