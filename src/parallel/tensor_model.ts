/**
 * The part of a model that one rank of tensor parallelism computes (Shoeybi et al. 2019,
 * Megatron-LM): a share of the heads and of the feed-forward columns of every layer, and of the rows
 * of the vocabulary. Activations between branches have their whole width on every rank.
 */
import type { Mesh, MeshPlace } from '../common/index.ts';
import type { ResolvedModel, TrainingConfig } from '../config/index.ts';
import { MUON_NEEDS_WHOLE } from '../plan/parallel/lab_check.ts';

/** Half-open range [start, end) of values, rows or columns. */
export interface Range {
  start: number;
  end: number;
}

/** Which part of a model a rank holds. */
export interface TensorPart {
  /** The whole model. */
  model: ResolvedModel;
  /** Index of the rank among the ranks of tensor parallelism. */
  index: number;
  /** Number of these ranks (tensor_model_parallel_size). */
  tp: number;
}

/**
 * The part of the model that a rank holds; null without tensor parallelism.
 *
 * @throws RangeError with a sentence for the user if the layers cannot be split
 */
export function tensorPart(
  model: ResolvedModel,
  { optimizer }: Pick<TrainingConfig, 'optimizer'>,
  { tp }: Mesh,
  place: MeshPlace,
): TensorPart | null {
  const problem = tensorProblem(model, tp, optimizer);
  if (problem) throw new RangeError(problem);
  return tp > 1 ? { model, index: place.tp, tp } : null;
}

/**
 * Part `index` of `tp` parts of nearly equal length, which differ by one at most. Megatron-LM pads the
 * vocabulary instead, so that all parts are equal.
 */
export function rangeOf(size: number, { index, tp }: Pick<TensorPart, 'index' | 'tp'>): Range {
  const cut = (i: number): number => Math.floor((i * size) / tp);
  return { start: cut(index), end: cut(index + 1) };
}

/** Tokens whose rows of the embedding and of the head the rank holds. */
export const vocabularyOf = (part: TensorPart): Range => rangeOf(part.model.vocab_size, part);

/** The model that the rank computes: fewer heads, feed-forward columns and tokens. */
export function localModel(part: TensorPart): ResolvedModel {
  const { model, tp } = part;
  const { start, end } = vocabularyOf(part);
  return {
    ...model,
    n_head: model.n_head / tp,
    n_kv_head: model.n_kv_head / tp,
    n_inner: model.n_inner / tp,
    vocab_size: end - start,
  };
}

/** Why the layers of a model cannot be split over `tp` ranks, as a sentence; null if they can. */
export function tensorProblem(
  model: ResolvedModel,
  tp: number,
  optimizer: TrainingConfig['optimizer'],
): string | null {
  if (tp === 1) return null;
  if (optimizer === 'muon') return MUON_NEEDS_WHOLE;
  const counts: [string, number][] = [
    ['attention heads', model.n_head],
    ['key and value heads', model.n_kv_head],
    ['feed-forward columns', model.n_inner],
  ];
  const uneven = counts.find(([, count]) => count % tp !== 0);
  if (uneven) {
    const [what, count] = uneven;
    return `tp ${tp} does not divide the ${count} ${what} of the model: ${nearest(counts, tp)}.`;
  }
  if (model.vocab_size < tp)
    return `The vocabulary has ${model.vocab_size} tokens, fewer than tp ${tp}: choose a smaller tp.`;
  return null;
}

/** The values of tp nearest to `tp` that divide all counts, as a clause: "choose 2 or 4". */
function nearest(counts: readonly [string, number][], tp: number): string {
  const divides = (size: number): boolean => counts.every(([, count]) => count % size === 0);
  const smallestCount = Math.min(...counts.map(([, count]) => count));
  const sizes = Array.from({ length: smallestCount }, (_, i) => i + 1).filter(divides);
  const below = sizes.filter((size) => size < tp).at(-1) ?? 1;
  const above = sizes.find((size) => size > tp);
  return above === undefined ? `choose ${below}` : `choose ${below} or ${above}`;
}
