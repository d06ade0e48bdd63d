/** Sampled answers as rows of a training batch. */
import type { Batch } from '../../common/index.ts';
import type { RowShape } from '../../data/stages/batches.ts';
import type { Rollout } from '../../rollout/index.ts';

/** An answer to one of the training prompts, with quantities of its tokens. */
export interface AnswerRow extends Rollout {
  /** Index of the prompt among the training prompts. */
  prompt: number;
  prompt_ids: Int32Array;
  /** By name, as TRL's reward functions; `reward` is the weighted sum. */
  rewards: Readonly<Record<string, number>>;
  /** Values per token of the answer, such as `advantages`, by the names of the batch's inputs. */
  tokens: Readonly<Record<string, Float32Array>>;
}

export interface AnswerBatchOptions extends RowShape {
  /** Inputs to fill from `AnswerRow.tokens`; zero elsewhere. */
  names: readonly string[];
  /** Loss weight of a row's tokens, one per row. */
  weights: readonly number[];
  /**
   * Weight of a row's tokens in metrics that are means over tokens: the input `shares`, which is
   * left out without any.
   */
  shares: readonly number[];
  row_offset: number;
}

/** Position of a row's first answer token among the targets. */
export const firstTarget = ({ prompt_ids }: Pick<AnswerRow, 'prompt_ids'>): number =>
  prompt_ids.length - 1;

/**
 * One row per answer, padded on the right: prompt and answer, whose tokens are the targets that
 * count. Position i of an extra input belongs to target i, as weights do.
 */
export function answerBatch(rows: readonly AnswerRow[], options: AnswerBatchOptions): Batch {
  const { batch_size, block_size, pad_token_id, names, row_offset } = options;
  const size = batch_size * block_size;
  const ids = new Int32Array(size).fill(pad_token_id);
  const targets = new Int32Array(size).fill(pad_token_id);
  const weights = new Float32Array(size);
  const positions = Int32Array.from({ length: size }, (_, i) => i % block_size);
  const extra: Record<string, Float32Array> = {};
  if (options.shares.length > 0) extra.shares = new Float32Array(size);
  for (const name of names) extra[name] = new Float32Array(size);
  let tokens = 0;
  rows.forEach((row, index) => {
    const start = index * block_size;
    const all = [...row.prompt_ids, ...row.ids];
    ids.set(all.slice(0, block_size), start);
    targets.set(all.slice(1, block_size + 1), start);
    const first = start + firstTarget(row);
    weights.fill(options.weights[index] ?? 0, first, first + row.ids.length);
    extra.shares?.fill(options.shares[index] ?? 0, first, first + row.ids.length);
    for (const name of names) extra[name]?.set(row.tokens[name] ?? [], first);
    tokens += Math.min(all.length, block_size);
  });
  return { batch_size, block_size, row_offset, ids, targets, weights, positions, tokens, extra };
}

/** The values of each row's answer tokens among those of a batch, as programs return them. */
export function perAnswer(
  values: Float32Array,
  rows: readonly AnswerRow[],
  block_size: number,
): Float32Array[] {
  return rows.map((row, index) => {
    const first = index * block_size + firstTarget(row);
    return values.slice(first, first + row.ids.length);
  });
}

/** Rows in groups of `size`. */
export function inGroups<T>(rows: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(rows.length / size) }, (_, i) =>
    rows.slice(i * size, (i + 1) * size),
  );
}
