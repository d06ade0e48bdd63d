/**
 * Group relative policy optimization (Shao et al. 2024; TRL's GRPOTrainer). A prompt gets a group of
 * answers, code rewards each of them, and an answer's advantage is its reward against its group:
 *
 *     A_i = (r_i - mean(r)) / (std(r) + 1e-4)
 *     loss = -min(ratio A, clip(ratio, 1 - epsilon, 1 + epsilon_high) A) + beta k3(ref, policy)
 *
 * per token, where ratio = pi / pi_old, weighted by `loss_type` (rl/normalizers.ts). In the first
 * epoch every ratio is 1 and the advantages of a group add up to 0, so that the loss reads about 0
 * while its gradient does not.
 *
 * A micro-batch has `training.batch_size` prompts and `num_generations` times as many rows.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Batch, MetricRow } from '../common/index.ts';
import { type LossContext, tokenLosses, type TracedLoss } from '../model/index.ts';
import { clippedRatio, RATIO_STATISTICS } from '../ops/alignment.ts';
import { GRPO_CHARTS, GRPO_METRICS } from './grpo_metrics.ts';
import {
  defineObjective,
  type ObjectiveSetting,
  REFERENCE,
  type Source,
  type SourceContext,
  stageOf,
  type Sums,
} from './objective.ts';
import { groupAdvantages, mean, sampleStd } from './rl/advantages.ts';
import { answerBatch, type AnswerRow, inGroups } from './rl/answer_rows.ts';
import { inspectedAnswers, rolloutRecord, RolloutRecords } from './rl/inspect.ts';
import { keptNumber, keptRows, restoredRows } from './rl/kept_rows.ts';
import { klOf } from './rl/kl.ts';
import { lengthMetrics, sampledEntropy } from './rl/lengths.ts';
import { measureGreedy } from './rl/measure.ts';
import { answerWeights } from './rl/normalizers.ts';
import { logpsAt, sampleAnswers, valuesOfAnswers } from './rl/policy.ts';
import { answerOf, ConstantRewards, requireRewards, rewardsOf } from './rl/rewards.ts';
import { answerRowLength } from './rl/row_shape.ts';
import { partSums } from './rl/sums.ts';

const SUMS = ['loss', ...RATIO_STATISTICS] as const;

/** Inputs of a token, beside `shares`. */
const TOKEN_INPUTS = ['old_logps', 'ref_logps', 'advantages'] as const;

export const grpo = defineObjective({
  name: 'grpo',
  data: 'prompts',
  sums: SUMS,
  metrics: GRPO_METRICS,
  charts: GRPO_CHARTS,
  loss,
  // TRL leaves it on; ratios would then compare two random models.
  dropout: () => false,
  programs: {
    logps: { model: '', values: logpsOf },
    ref_logps: { model: REFERENCE, values: logpsOf },
  },
  reference: (setting) => grpoOf(setting).beta > 0,
  score: 'val/reward',
  score_is_reward: true,
  shape,
  inputs: ({ batch_size, block_size }) =>
    ['shares', ...TOKEN_INPUTS].map((name) => ({ name, shape: [batch_size * block_size] })),
  stepMetrics,
  source,
});

const grpoOf = (setting: ObjectiveSetting) => stageOf(setting).stage.grpo;

function logpsOf(context: LossContext, setting: ObjectiveSetting): Tensor {
  return logpsAt(context, grpoOf(setting).temperature);
}

function shape(setting: ObjectiveSetting) {
  const { num_generations, max_completion_length } = grpoOf(setting);
  return {
    batch_size: setting.config.training.batch_size * num_generations,
    block_size: answerRowLength(setting, max_completion_length),
  };
}

function loss(
  { forward, hidden, logits_chunk }: LossContext,
  setting: ObjectiveSetting,
): TracedLoss {
  const { tape, inputs } = forward;
  const { epsilon, epsilon_high, beta, temperature } = grpoOf(setting);
  const { loss: nll, ...unread } = tokenLosses(forward, hidden, logits_chunk, temperature);
  const weights = inputs.get('weights');
  const shares = inputs.get('shares');
  const { loss: values, statistics } = tape.apply(
    clippedRatio,
    {
      nll,
      old_logps: inputs.get('old_logps'),
      ref_logps: inputs.get('ref_logps'),
      advantages: inputs.get('advantages'),
      weights,
    },
    { epsilon, epsilon_high: epsilon_high || epsilon, beta },
  );
  tape.release(nll);
  const parts = [
    { weights, values },
    { weights: shares, values: statistics },
  ];
  return {
    loss: values,
    weights,
    sums: partSums(parts, SUMS.length),
    statistics: [statistics, ...Object.values(unread)],
  };
}

function stepMetrics({ loss: value = NaN, low = NaN, high = NaN, ratio = NaN }: Sums) {
  return {
    'train/loss': value,
    'clip_ratio/low_mean': low,
    'clip_ratio/high_mean': high,
    'clip_ratio/region_mean': low + high,
    'val/ratio': ratio,
  };
}

/** The answers that `num_iterations` steps learn from. */
interface Phase {
  index: number;
  rows: readonly AnswerRow[];
  metrics: Partial<MetricRow>;
}

function source(context: SourceContext): Source {
  const { stage, data } = stageOf(context);
  requireRewards({ stage, data });
  const { num_iterations, max_completion_length: max_new_tokens, temperature } = stage.grpo;
  const sampling = { max_new_tokens, temperature };
  const records = new RolloutRecords();
  const constant = new ConstantRewards();
  const restored = restoredRows(context.restored, data.prompts.train);
  const restoredIndex = keptNumber(context.restored, 'phase');
  let phase: Phase | null =
    restored && restoredIndex !== null
      ? { index: restoredIndex, rows: restored, metrics: {} }
      : null;
  let latest = keptNumber(context.restored, 'step') ?? -1;

  async function step(index: number): Promise<readonly Batch[]> {
    const wanted = Math.floor(index / num_iterations);
    latest = index;
    if (phase?.index !== wanted) {
      phase = await rollOut(context, wanted);
      constant.add(phase.metrics.frac_reward_zero_std ?? NaN);
      const found = phase.rows;
      records.add(
        found.map((row) =>
          rolloutRecord(data, row, { step: index, advantage: row.tokens.advantages?.[0] ?? 0 }),
        ),
      );
    }
    return batchesOf(context, phase.rows);
  }

  return {
    step,
    evaluation: () => [],
    measure: () => measureGreedy(context, sampling),
    stepMetrics: () => (latest % num_iterations === 0 ? (phase?.metrics ?? {}) : {}),
    state: () => {
      const isDone = (latest + 1) % num_iterations === 0;
      if (!phase || isDone) return new Map();
      return keptRows({ rows: phase.rows, numbers: { phase: phase.index, step: latest } });
    },
    inspect: () => inspect(context, latest >= 0 ? (phase?.rows ?? []) : [], latest),
    takeNotice: () => constant.takeNotice(),
    takeRollouts: () => records.take(),
  };
}

/** Samples the answers of a phase, rewards them and compares each with its group. */
async function rollOut(context: SourceContext, index: number): Promise<Phase> {
  const { stage, data } = stageOf(context);
  const { num_generations, temperature, max_completion_length, beta } = stage.grpo;
  const { batch_size, gradient_accumulation_steps } = context.config.training;
  const sampled = await sampleAnswers(context, {
    phase: index,
    prompts: batch_size * gradient_accumulation_steps,
    answers: num_generations,
    temperature,
    max_new_tokens: max_completion_length,
  });
  const rewards = sampled.map((answer) => {
    const prompt = data.prompts.train[answer.prompt];
    if (!prompt) throw new Error('There is an answer without a prompt.');
    return rewardsOf({ data, stage }, prompt, answerOf(data, answer, max_completion_length));
  });
  const total = rewards.map(({ reward = NaN }) => reward);
  const grouped = groupAdvantages(total, num_generations, stage.grpo.scale_rewards);
  const rows = sampled.map((answer, i): AnswerRow => {
    const advantages = new Float32Array(answer.ids.length).fill(grouped.advantages[i] ?? 0);
    const tokens = { old_logps: answer.logps, ref_logps: answer.logps, advantages };
    return { ...answer, rewards: rewards[i] ?? {}, tokens };
  });
  const withReference = beta > 0 ? await withReferenceLogps(context, rows) : rows;
  const metrics: Partial<MetricRow> = {
    ...rewardMetrics(rewards),
    reward: mean(total),
    reward_std: grouped.reward_std,
    frac_reward_zero_std: mean(grouped.no_signal.map(Number)),
    entropy: sampledEntropy(rows),
    ...lengthMetrics(rows),
  };
  if (beta > 0) metrics.kl = mean(withReference.flatMap(tokenKl));
  return { index, rows: withReference, metrics };
}

async function withReferenceLogps(
  context: SourceContext,
  rows: readonly AnswerRow[],
): Promise<AnswerRow[]> {
  const values = await valuesOfAnswers(context, 'ref_logps', { rows, ...shape(context) });
  return rows.map((row, i) => {
    const ref_logps = values[i] ?? new Float32Array(row.ids.length);
    return { ...row, tokens: { ...row.tokens, ref_logps } };
  });
}

/** k3 of each token of an answer against the reference. */
const tokenKl = ({ logps, tokens }: AnswerRow): number[] =>
  Array.from(logps, (logp, i) => klOf('k3', logp, tokens.ref_logps?.[i] ?? NaN));

function rewardMetrics(rewards: readonly Readonly<Record<string, number>>[]): Partial<MetricRow> {
  const row: Partial<MetricRow> = {};
  for (const name of Object.keys(rewards[0] ?? {})) {
    if (name === 'reward') continue;
    const values = rewards.map((one) => one[name] ?? NaN);
    row[`rewards/${name}/mean`] = mean(values);
    row[`rewards/${name}/std`] = sampleStd(values);
  }
  return row;
}

/** All micro-batches of a step; answers that were cut off count only if the stage says so. */
function batchesOf(context: SourceContext, rows: readonly AnswerRow[]): Batch[] {
  const { stage, data } = stageOf(context);
  const { loss_type, max_completion_length, mask_truncated_completions } = stage.grpo;
  const { gradient_accumulation_steps: micro_batches } = context.config.training;
  const counts = rows.map(({ ids, ended }) =>
    mask_truncated_completions && !ended ? 0 : ids.length,
  );
  const weights = answerWeights(counts, { loss_type, max_completion_length, micro_batches });
  const total = Math.max(
    1,
    counts.reduce((sum, count) => sum + count, 0),
  );
  const { batch_size, block_size } = shape(context);
  const { pad_token_id } = data.chat;
  return inGroups(rows, batch_size).map((group, micro) => {
    const first = micro * batch_size;
    const counted = (value: number, i: number): number => (counts[first + i] === 0 ? 0 : value);
    return answerBatch(group, {
      batch_size,
      block_size,
      pad_token_id,
      names: TOKEN_INPUTS,
      weights: weights.slice(first, first + batch_size).map(counted),
      shares: group.map(() => 1 / total).map(counted),
      row_offset: first,
    });
  });
}

/** The latest answers, token by token; null before the first step. */
function inspect(context: SourceContext, rows: readonly AnswerRow[], step: number) {
  const { num_generations: group_size, epsilon, epsilon_high } = grpoOf(context);
  const limits = { low: 1 - epsilon, high: 1 + (epsilon_high || epsilon) };
  return inspectedAnswers(context, rows, {
    objective: 'grpo',
    step,
    group_size,
    limits,
    ...shape(context),
  });
}
