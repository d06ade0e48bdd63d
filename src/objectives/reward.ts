/**
 * A reward model (Ouyang et al. 2022, section 3.5; TRL's RewardTrainer): the language model with a
 * scalar head in place of the language head. The score of an answer is the head's value at the last
 * token that is not padding; the loss is -log sigmoid(chosen - rejected - margin).
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Batch, InspectedStep, MetricRow } from '../common/index.ts';
import type { PairBatch } from '../data/stages/batches.ts';
import {
  type Forward,
  listParameters,
  type LossContext,
  scoreParameter,
  scores,
  type TracedLoss,
} from '../model/index.ts';
import { PAIR_STATISTICS, pairLoss, takeRows } from '../ops/alignment.ts';
import { calibrationMetrics, type ScoredPair, trueRewards } from './calibration.ts';
import {
  defineObjective,
  type ObjectiveSetting,
  type Source,
  type SourceContext,
  stageOf,
} from './objective.ts';
import {
  countPairs,
  inspectedPairs,
  lastRows,
  ofPairs,
  pairHealth,
  pairRows,
  pairShape,
  perPair,
  withExtra,
} from './pairs.ts';
import { REWARD_CHARTS, REWARD_METRICS } from './reward_metrics.ts';
import { partSums } from './rl/sums.ts';

export const reward = defineObjective({
  name: 'reward',
  data: 'pairs',
  sums: PAIR_STATISTICS,
  metrics: REWARD_METRICS,
  charts: REWARD_CHARTS,
  loss,
  programs: {
    scores: { model: '', values: ({ forward, hidden }) => lastScores(forward, hidden) },
  },
  dropout: (setting) => !stageOf(setting).stage.reward.disable_dropout,
  shape: pairShape,
  parameters: ({ model }) => [scoreParameter(model), ...listParameters(model)],
  // An untied language head has no part in the score.
  trains: ({ name }) => name !== 'lm_head.weight',
  inputs: ({ batch_size }) => [
    { name: 'last_rows', shape: [batch_size], dtype: 'int32' },
    perPair('margins', batch_size),
    perPair('pair_weights', batch_size),
  ],
  health: pairHealth,
  source,
});

function loss({ forward, hidden }: LossContext, setting: ObjectiveSetting): TracedLoss {
  const { tape, inputs } = forward;
  const { center_rewards_coefficient } = stageOf(setting).stage.reward;
  const rewards = lastScores(forward, hidden);
  const { loss: values, statistics } = tape.apply(
    pairLoss,
    { scores: rewards, margins: inputs.get('margins') },
    { center_rewards_coefficient },
  );
  tape.release(rewards);
  const weights = inputs.get('pair_weights');
  const sums = partSums([{ weights, values: statistics }], PAIR_STATISTICS.length);
  return { loss: values, weights, sums, statistics: [statistics] };
}

/**
 * Score of each row [rows, 1]: that of its last token that is not padding, which the input
 * `last_rows` names. `hidden` [tokens, n_embd] is released.
 */
export function lastScores(forward: Forward, hidden: Tensor): Tensor {
  const { tape, inputs, batch_size, block_size } = forward;
  const rows = inputs.get('last_rows');
  const { y } = tape.apply(takeRows, { x: hidden, rows }, { N: batch_size * block_size });
  tape.release(hidden);
  return scores(forward, y);
}

function source(context: SourceContext): Source {
  const { data } = stageOf(context);
  const { programs } = context;
  const rows = pairRows(context);
  const evaluation = rewardBatches(rows.evaluation);
  let latest: { step: number; groups: readonly PairBatch[] } | null = null;

  const scoresOf = (batch: Batch): Promise<Float32Array> => programs.run('scores', batch);

  async function measure(): Promise<Partial<MetricRow>> {
    const scored: ScoredPair[] = [];
    for (const [i, { pairs }] of rows.evaluation.entries()) {
      const batch = evaluation[i];
      if (!batch) continue;
      const values = await scoresOf(batch);
      pairs.forEach((pair, p) => {
        const [chosen = NaN, rejected = NaN] = values.subarray(2 * p, 2 * p + 2);
        scored.push({ chosen, rejected, truth: trueRewards(pair, data) });
      });
    }
    return calibrationMetrics(scored);
  }

  async function inspect(): Promise<InspectedStep | null> {
    if (!latest) return null;
    const { step, groups } = latest;
    const shown: InspectedStep['rows'][number][] = [];
    for (const [i, batch] of rewardBatches(groups).entries()) {
      const group = groups[i];
      if (group) shown.push(...inspectedPairs(group, await scoresOf(batch), {}));
    }
    return { objective: 'reward', step, rows: shown };
  }

  return {
    step: (step) => {
      const groups = rows.step(step);
      latest = { step, groups };
      return rewardBatches(groups);
    },
    evaluation: () => evaluation,
    measure,
    inspect,
  };
}

/** Weights of pairs add up to 1 over all micro-batches. */
function rewardBatches(groups: readonly PairBatch[]): Batch[] {
  const total = countPairs(groups);
  return groups.map((group) => ({
    ...withExtra(group, {
      last_rows: lastRows(group),
      margins: ofPairs(group, ({ margin }) => margin),
      pair_weights: ofPairs(group, () => 1 / total),
    }),
    token_indices: ['last_rows'],
  }));
}
