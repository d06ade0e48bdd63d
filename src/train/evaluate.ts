/** Evaluation of a run: the same batches each time, forward only. */
import type { Tensor } from '@tensorflow/tfjs-core';
import { type Program, readback, submitWithBoundaries } from '../backend/index.ts';
import type { MetricRow } from '../common/index.ts';
import type { TokenSplit } from '../data/index.ts';
import { type ModelStores, type RandomState, writeBatch } from '../model/index.ts';
import type { Objective, Source } from '../objectives/index.ts';
import { namedSums } from './sums.ts';

/** What an evaluation measured. */
export interface Evaluation {
  /** Metrics by name. */
  metrics: Partial<MetricRow>;
  /**
   * The metric that the best checkpoint is chosen by, negated if it is a reward: lower is better.
   * Null if it was not measured, because nothing is held out.
   */
  score: number | null;
}

export interface EvaluationParts {
  program: Program<{ sums: Tensor; losses: Tensor }>;
  stores: ModelStores;
  objective: Objective;
  source: Source;
  split: TokenSplit;
  random: RandomState;
}

/** Sums over all batches; `breathe` runs between two of them, so that the worker can answer. */
export async function evaluate(
  parts: EvaluationParts,
  breathe: () => Promise<void>,
): Promise<Evaluation> {
  const { program, stores, objective, source, split, random } = parts;
  const batches = await source.evaluation();
  const totals = objective.sums.map(() => 0);
  for (const batch of batches) {
    writeBatch(stores.inputs, stores.model, batch, random);
    await submitWithBoundaries([program]);
    const [sums] = await readback([program.outputs.sums]);
    totals.forEach((total, i) => {
      totals[i] = total + (sums?.[i] ?? NaN);
    });
    await breathe();
  }
  const measured = await source.measure?.();
  const sums = namedSums(objective, totals);
  // Without batches there is no loss: the sums would read 0.
  const ofLoss = batches.length > 0 ? objective.evaluationMetrics(sums, { batches, split }) : {};
  const metrics = { ...ofLoss, ...measured };
  const value = metrics[objective.score];
  if (value === undefined) return { metrics, score: null };
  return { metrics, score: objective.score_is_reward ? -value : value };
}
