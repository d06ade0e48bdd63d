/**
 * Proximal policy optimization of a language model (Schulman et al. 2017; Ziegler et al. 2019; TRL's
 * PPOTrainer). A policy answers prompts, and four models take part: the policy, a frozen reference
 * (the policy at the start), a frozen reward model, and a value model that trains.
 *
 *     reward_t = -kl_coef KL_t, plus the score at the last token of the answer
 *     A_t = generalized advantage estimates of the rewards (rl/gae.ts), whitened
 *     R_t = A_t + V_t, before whitening
 *     loss = max(-A ratio, -A clip(ratio, 1 ± cliprange))
 *          + vf_coef / 2 max((V - R)^2, (clip(V, V_old ± cliprange_value) - R)^2)
 *
 * as means over the tokens of a minibatch. A step of the run is the update of one minibatch, of
 * `batch_size` x `gradient_accumulation_steps` answers; a phase samples `num_mini_batches` times as
 * many answers and learns from them `num_ppo_epochs` times.
 *
 * TRL adds the score one position after the last token, where that exists; here it is the last one.
 */
import type { Tensor } from '@tensorflow/tfjs-core';
import type { Batch, MetricRow } from '../common/index.ts';
import { drawn } from '../data/stages/batches.ts';
import {
  hiddenStates,
  type LossContext,
  modelOf,
  scores,
  type TracedLoss,
} from '../model/index.ts';
import { clippedRatio, clippedValue, RATIO_STATISTICS } from '../ops/alignment.ts';
import { add, scale } from '../ops/index.ts';
import { rowSeed } from '../ops/rollout_token/sampler.ts';
import { lossesAndEntropy } from './entropy.ts';
import {
  defineObjective,
  type ObjectiveSetting,
  REFERENCE,
  type Source,
  type SourceContext,
  stageOf,
} from './objective.ts';
import { PPO_CHARTS, PPO_METRICS, ppoStepMetrics } from './ppo_metrics.ts';
import { answerBatch, type AnswerRow, inGroups } from './rl/answer_rows.ts';
import { generalizedAdvantages } from './rl/gae.ts';
import { inspectedAnswers, rolloutRecord, RolloutRecords } from './rl/inspect.ts';
import { keptNumber, keptRows, restoredRows } from './rl/kept_rows.ts';
import { adaptedCoefficient, klOf } from './rl/kl.ts';
import { logpsAt, sampleAnswers, valuesOfAnswers } from './rl/policy.ts';
import { phaseMetrics } from './rl/phase_metrics.ts';
import { measurePpo, scored, type ScoredRow } from './rl/ppo_scores.ts';
import { answerRowLength } from './rl/row_shape.ts';
import { partSums } from './rl/sums.ts';
import { ppoParameters, REWARD, VALUE } from './rl/value_model.ts';
import { whiten } from './rl/whiten.ts';

const SUMS = ['loss', 'policy', 'value', 'value_clipped', ...RATIO_STATISTICS, 'entropy'] as const;

/** Inputs of a token, beside `shares`. */
const TOKEN_INPUTS = ['old_logps', 'advantages', 'old_values', 'returns'] as const;

export const ppo = defineObjective({
  name: 'ppo',
  data: 'prompts',
  sums: SUMS,
  metrics: PPO_METRICS,
  charts: PPO_CHARTS,
  loss,
  models: ['', VALUE],
  // As in TRL: ratios would otherwise compare two random models.
  dropout: () => false,
  programs: {
    logps: { model: '', values: logpsOf },
    ref_logps: { model: REFERENCE, values: logpsOf },
    values: { model: VALUE, values: ({ forward, hidden }) => scores(forward, hidden) },
    scores: { model: REWARD, values: ({ forward, hidden }) => scores(forward, hidden) },
  },
  reference: () => true,
  score: 'val/reward',
  score_is_reward: true,
  shape,
  parameters: ppoParameters,
  trains: ({ name }) => !name.startsWith(REWARD),
  inputs: ({ batch_size, block_size }) =>
    ['shares', ...TOKEN_INPUTS].map((name) => ({ name, shape: [batch_size * block_size] })),
  stepMetrics: ppoStepMetrics,
  source,
});

const ppoOf = (setting: ObjectiveSetting) => stageOf(setting).stage.ppo;

function logpsOf(context: LossContext, setting: ObjectiveSetting): Tensor {
  return logpsAt(context, ppoOf(setting).temperature);
}

function shape(setting: ObjectiveSetting) {
  return {
    batch_size: setting.config.training.batch_size,
    block_size: answerRowLength(setting, ppoOf(setting).response_length),
  };
}

function loss(
  { forward, hidden, logits_chunk }: LossContext,
  setting: ObjectiveSetting,
): TracedLoss {
  const { tape, inputs } = forward;
  const { cliprange, cliprange_value, vf_coef, temperature } = ppoOf(setting);
  const weights = inputs.get('weights');
  const old_logps = inputs.get('old_logps');
  const losses = lossesAndEntropy(forward, hidden, logits_chunk, temperature);
  const { loss: nll, entropy, ...unread } = losses;
  const policy = tape.apply(
    clippedRatio,
    { nll, old_logps, ref_logps: old_logps, advantages: inputs.get('advantages'), weights },
    { epsilon: cliprange, epsilon_high: cliprange, beta: 0 },
  );
  const valuePass = modelOf(forward, VALUE);
  const values = scores(valuePass, hiddenStates(valuePass));
  const value = tape.apply(
    clippedValue,
    { values, old_values: inputs.get('old_values'), returns: inputs.get('returns'), weights },
    { cliprange: cliprange_value },
  );
  const scaled = tape.apply(scale, { x: value.loss }, { factor: vf_coef }).y;
  const total = tape.apply(add, { a: policy.loss, b: scaled }, {}).sum;
  const parts = [total, policy.loss, value.loss, value.clipped, policy.statistics, entropy];
  for (const tensor of [nll, values, scaled]) tape.release(tensor);
  return {
    loss: total,
    weights,
    sums: partSums(
      parts.map((tensor) => ({ weights, values: tensor })),
      SUMS.length,
    ),
    statistics: [
      policy.loss,
      policy.statistics,
      entropy,
      ...Object.values(value),
      ...Object.values(unread),
    ],
  };
}

/** The answers that `num_ppo_epochs` times `num_mini_batches` steps learn from. */
interface Phase {
  index: number;
  rows: readonly AnswerRow[];
  metrics: Partial<MetricRow>;
}

function source(context: SourceContext): Source {
  const { stage, data } = stageOf(context);
  const { num_ppo_epochs, num_mini_batches } = stage.ppo;
  const stepsOfPhase = num_ppo_epochs * num_mini_batches;
  const records = new RolloutRecords();
  const { restored } = context;
  const restoredIndex = keptNumber(restored, 'phase');
  const rows = restoredRows(restored, data.prompts.train);
  let phase: Phase | null =
    rows && restoredIndex !== null ? { index: restoredIndex, rows, metrics: {} } : null;
  // The next phase is rewarded with it.
  let kl_coef = keptNumber(restored, 'kl_coef') ?? stage.ppo.kl_coef;
  let latest = keptNumber(restored, 'step') ?? -1;

  async function beginPhase(index: number, step: number): Promise<Phase> {
    const begun = await rollOut(context, index, kl_coef);
    records.add(begun.rows.map((row) => rolloutRecord(data, row, { step, advantage: null })));
    if (stage.ppo.adap_kl_ctrl) {
      const kl = begun.metrics['objective/kl'] ?? NaN;
      kl_coef = adaptedCoefficient(kl_coef, kl, stage.ppo.target_kl);
    }
    return begun;
  }

  async function step(index: number): Promise<readonly Batch[]> {
    const wanted = Math.floor(index / stepsOfPhase);
    if (phase?.index !== wanted) phase = await beginPhase(wanted, index);
    latest = index;
    return batchesOf(context, phase, index % stepsOfPhase);
  }

  return {
    step,
    evaluation: () => [],
    measure: () => measurePpo(context, shape(context)),
    stepMetrics: () => (latest % stepsOfPhase === 0 ? (phase?.metrics ?? {}) : {}),
    state: () => {
      const isDone = (latest + 1) % stepsOfPhase === 0;
      const numbers = { kl_coef, phase: phase?.index ?? 0, step: latest };
      return keptRows({ rows: phase && !isDone ? phase.rows : [], numbers });
    },
    inspect: () => inspect(context, latest >= 0 ? (phase?.rows ?? []) : [], latest),
    takeRollouts: () => records.take(),
  };
}

/** Samples the answers of a phase, scores them and estimates the advantage of each token. */
async function rollOut(context: SourceContext, index: number, kl_coef: number): Promise<Phase> {
  const { stage } = stageOf(context);
  const { num_mini_batches, temperature, response_length } = stage.ppo;
  const { batch_size, gradient_accumulation_steps } = context.config.training;
  const sampled = await sampleAnswers(context, {
    phase: index,
    prompts: batch_size * gradient_accumulation_steps * num_mini_batches,
    answers: 1,
    temperature,
    max_new_tokens: response_length,
  });
  const size = shape(context);
  const rows = await scored(context, sampled, size);
  const old_values = await valuesOfAnswers(context, 'values', { rows, ...size });
  const rewards = whitenedIf(
    stage.ppo.whiten_rewards,
    rows.map((row) => tokenRewards(row, context, kl_coef)),
  );
  const estimates = rewards.map((own, i) =>
    generalizedAdvantages(own, old_values[i] ?? [], stage.ppo),
  );
  const advantages = whiten(estimates.map((one) => one.advantages));
  return {
    index,
    rows: rows.map((row, i) =>
      withTokens(row, {
        old_logps: row.logps,
        ref_logps: row.ref_logps,
        rewards: rewards[i],
        old_values: old_values[i],
        advantages: advantages[i],
        returns: estimates[i]?.returns,
      }),
    ),
    metrics: phaseMetrics(rows, { kl_estimator: stage.ppo.kl_estimator, kl_coef }),
  };
}

/** -kl_coef KL at each token, and the score at the last one. */
function tokenRewards(row: ScoredRow, context: SourceContext, kl_coef: number): Float32Array {
  const { kl_estimator } = ppoOf(context);
  const rewards = row.logps.map(
    (logp, t) => -kl_coef * klOf(kl_estimator, logp, row.ref_logps[t] ?? NaN),
  );
  const last = rewards.length - 1;
  rewards[last] = (rewards[last] ?? 0) + row.score;
  return rewards;
}

const whitenedIf = (wanted: boolean, rewards: readonly Float32Array[]): readonly Float32Array[] =>
  wanted ? whiten(rewards, { keep_mean: true }) : rewards;

function withTokens(row: ScoredRow, tokens: Record<string, Float32Array | undefined>): AnswerRow {
  const { prompt, prompt_ids, ids, logps, ended, rewards } = row;
  const none = new Float32Array(ids.length);
  const known = Object.entries(tokens).map(([name, values]) => [name, values ?? none] as const);
  return { prompt, prompt_ids, ids, logps, ended, rewards, tokens: Object.fromEntries(known) };
}

/** The micro-batches of one minibatch; each epoch is another permutation of the answers. */
function batchesOf(context: SourceContext, phase: Phase, stepOfPhase: number): Batch[] {
  const { batch_size: size, gradient_accumulation_steps, seed } = context.config.training;
  const { batch_size, block_size } = shape(context);
  const order = { examples: phase.rows, seed: rowSeed(seed, phase.index) >>> 1, step: stepOfPhase };
  const rows = drawn(order, size * gradient_accumulation_steps);
  const tokens = rows.reduce((sum, { ids }) => sum + ids.length, 0);
  const weights = Array.from({ length: batch_size }, () => 1 / tokens);
  const { pad_token_id } = stageOf(context).data.chat;
  return inGroups(rows, batch_size).map((group, micro) =>
    answerBatch(group, {
      batch_size,
      block_size,
      pad_token_id,
      names: TOKEN_INPUTS,
      weights,
      shares: weights,
      row_offset: micro * batch_size,
    }),
  );
}

/** The answers of the latest phase, token by token; null before the first step. */
function inspect(context: SourceContext, rows: readonly AnswerRow[], step: number) {
  const { cliprange } = ppoOf(context);
  const limits = { low: 1 - cliprange, high: 1 + cliprange };
  return inspectedAnswers(context, rows, {
    objective: 'ppo',
    step,
    group_size: 1,
    limits,
    ...shape(context),
  });
}
