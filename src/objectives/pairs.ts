/** What objectives over preference pairs share: batches with their extra inputs, sums, inspection. */
import type { Batch, InspectedRow, InspectedToken } from '../common/index.ts';
import type { EncodedPair } from '../data/index.ts';
import { type PairBatch, pairBatches, pairEvaluationBatches } from '../data/stages/batches.ts';
import type { InputSpec } from '../model/index.ts';
import {
  type Health,
  type HealthReport,
  type ObjectiveSetting,
  type SourceContext,
  stageOf,
} from './objective.ts';

/** Two rows a pair: the configuration's batch size counts pairs, as in TRL. */
export function pairShape(setting: ObjectiveSetting): { batch_size: number; block_size: number } {
  const { batch_size } = setting.config.training;
  return { batch_size: 2 * batch_size, block_size: stageOf(setting).data.row_length };
}

type ExtraInputs = NonNullable<Batch['extra']>;

/** An input with one value per row, or per pair. */
export const perRow = (name: string, rows: number): InputSpec => ({ name, shape: [rows] });
export const perPair = (name: string, rows: number): InputSpec => ({ name, shape: [rows / 2] });

/** Micro-batches of pairs, as a function of the step alone. */
export interface PairRows {
  step(step: number): PairBatch[];
  /** The first held-out pairs, the same ones each time. */
  readonly evaluation: readonly PairBatch[];
}

export function pairRows(context: SourceContext): PairRows {
  const { data } = stageOf(context);
  const { batch_size, block_size } = pairShape(context);
  const { eval_iters, gradient_accumulation_steps, seed } = context.config.training;
  const shape = { batch_size, block_size, pad_token_id: data.chat.pad_token_id };
  const { train, val } = data.pairs;
  const held_out = val.slice(0, (eval_iters * batch_size) / 2);
  const accumulation = gradient_accumulation_steps;
  return {
    step: (step) => pairBatches({ ...shape, examples: train, accumulation, seed, step }),
    evaluation: pairEvaluationBatches({ ...shape, examples: held_out }),
  };
}

/** Pairs of all micro-batches together. */
export function countPairs(groups: readonly PairBatch[]): number {
  return groups.reduce((sum, { pairs }) => sum + pairs.length, 0);
}

/** One value per pair of a micro-batch; 0 for the padding at the end of an evaluation. */
export function ofPairs(
  { batch, pairs }: PairBatch,
  valueOf: (pair: EncodedPair) => number,
): Float32Array {
  const values = new Float32Array(batch.batch_size / 2);
  pairs.forEach((pair, i) => (values[i] = valueOf(pair)));
  return values;
}

export function withExtra({ batch }: PairBatch, extra: ExtraInputs): Batch {
  return { ...batch, extra: { ...batch.extra, ...extra } };
}

/** Index of the last token of each row that is not padding, among all tokens of the batch. */
export function lastRows({ batch, pairs }: PairBatch): Int32Array {
  const { batch_size, block_size } = batch;
  const lengths = pairs.flatMap(({ chosen, rejected }) => [chosen.ids.length, rejected.ids.length]);
  return Int32Array.from({ length: batch_size }, (_, row) => {
    const length = Math.min(lengths[row] ?? block_size, block_size);
    return row * block_size + length - 1;
  });
}

/** Losses of pairs have no common scale: diverging is twice the first loss plus one. */
export function pairHealth({ loss, first_loss }: HealthReport): Health {
  if (!Number.isFinite(loss)) return 'exploded';
  return loss > 2 * first_loss + 1 ? 'diverging' : 'fine';
}

/** Quantities of the targets of a batch [tokens]; those that an objective lacks are left out. */
export interface TargetFigures {
  logps?: Float32Array;
  ref_logps?: Float32Array;
}

/** The rows of a micro-batch, token by token; `rewards` has one value per row. */
export function inspectedPairs(
  { batch, pairs }: PairBatch,
  rewards: ArrayLike<number>,
  figures: TargetFigures,
): InspectedRow[] {
  return pairs.flatMap(({ chosen, rejected }, group) =>
    [chosen, rejected].map(({ ids }, answer): InspectedRow => {
      const row = 2 * group + answer;
      const length = Math.min(ids.length, batch.block_size);
      return {
        group,
        label: answer === 0 ? 'chosen' : 'rejected',
        tokens: Array.from(ids.subarray(0, length), (id, i) =>
          inspectedToken(id, targetOf(batch, row, i), { batch, figures }),
        ),
        rewards: { reward: rewards[row] ?? NaN },
      };
    }),
  );
}

/** Index of the target that token `i` of a row is; null for the first token, which is none. */
const targetOf = ({ block_size }: Batch, row: number, i: number): number | null =>
  i === 0 ? null : row * block_size + i - 1;

function inspectedToken(
  id: number,
  target: number | null,
  { batch, figures }: { batch: Batch; figures: TargetFigures },
): InspectedToken {
  if (target === null) return { id, mask: 0 };
  const token: InspectedToken = { id, mask: batch.weights[target] ?? 0 };
  const logp = figures.logps?.[target];
  const ref_logp = figures.ref_logps?.[target];
  if (logp !== undefined) token.logp = logp;
  if (ref_logp !== undefined) token.ref_logp = ref_logp;
  return token;
}
